#include "agent/event_forge.h"

#include "os/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

namespace runvm::agent {

namespace {

constexpr const char* device_path = "/dev/runvm-notify";

/// struct runvm_event of guest/modules/runvm_notify.c; the name follows.
struct EventHead {
    int32_t fd;
    uint32_t mask;
    uint32_t name_length;
};

void refresh_attributes(int inode) {
    struct statx attributes {};
    (void)::statx(inode, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS,
                  &attributes);
}

} // namespace

Result<EventForge> EventForge::open() {
    RUNVM_ASSIGN(os::Fd device, os::open_file(device_path, O_WRONLY));
    return EventForge(std::move(device));
}

Result<void> EventForge::tell(int inode, uint32_t mask, const std::string& name) const {
    refresh_attributes(inode);
    if (!name.empty())
        if (os::Fd entry(::openat(inode, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)); entry)
            refresh_attributes(entry.get());
    return write(inode, mask, name);
}

Result<void> EventForge::ask(int inode) const {
    return write(inode, 0, "");
}

Result<void> EventForge::write(int inode, uint32_t mask, const std::string& name) const {
    EventHead head{inode, mask, static_cast<uint32_t>(name.size())};
    std::string message(reinterpret_cast<const char*>(&head), sizeof head);
    message += name;
    if (::write(device_.get(), message.data(), message.size()) >= 0)
        return {};
    if (errno == ENOENT)
        return Error(ErrorKind::not_found, "nobody watches the file any more");
    return system_error("forge a file event");
}

} // namespace runvm::agent
