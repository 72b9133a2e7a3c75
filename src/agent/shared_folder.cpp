#include "agent/shared_folder.h"

#include "agent/mounts.h"
#include "os/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include <ctime>
#include <memory>

namespace runvm::agent {

namespace {

constexpr auto device_wait = 5 * kj::SECONDS;
constexpr auto retry_interval = 10 * kj::MILLISECONDS;
constexpr timespec settle_time = {0, 20'000'000};

Result<void> mount_once() {
    RUNVM_ASSIGN(os::Fd tree, make_filesystem("virtiofs", SharedFolder::tag, 0, ""));
    RUNVM_ASSIGN(os::Fd place, os::open_file(SharedFolder::path, O_PATH | O_DIRECTORY));
    return attach_tree(tree.get(), place.get(), SharedFolder::path);
}

} // namespace

kj::Promise<Result<void>> SharedFolder::mount() {
    return mount_until(timer_.now() + device_wait);
}

kj::Promise<Result<void>> SharedFolder::mount_until(kj::TimePoint deadline) {
    if (mounted_)
        return Result<void>();
    Result<void> result = mount_once();
    mounted_ = result.ok();
    // EINVAL: no device with this tag (yet)
    if (mounted_ || result.error().errno_value() != EINVAL || timer_.now() >= deadline)
        return std::move(result).context("mount the shared filesystem");
    return timer_.afterDelay(retry_interval).then([this, deadline] { return mount_until(deadline); });
}

Result<void> SharedFolder::hold(const std::string& container_id, protocol::Container::Reader container) {
    auto hold_share = [&](capnp::Text::Reader share) -> Result<void> {
        // O_DIRECTORY makes the kernel mount the submount.
        auto found = os::open_file(of_container(container_id) + "/" + share.cStr(), O_PATH | O_DIRECTORY);
        if (!found)
            return std::move(found).context("find a share of the host").error();
        return {};
    };
    RUNVM_TRY(hold_share(container.getRootfsShare()));
    for (auto mount : container.getMounts())
        if (mount.getShare().size() > 0 && !mount.getIsFile()) // a file is no submount
            RUNVM_TRY(hold_share(mount.getShare()));
    return {};
}

void SharedFolder::release(const std::string& container_id) {
    // A server answers in the order of the queue (unless it was given more threads): with the first answer
    // all reads of ended processes are answered, and their files' releases sent; with the second these are
    // answered.
    struct statfs info {};
    for (int round = 0; round < 2; ++round)
        (void)::statfs(path, &info);
    ::nanosleep(&settle_time, nullptr);
    std::string folder = of_container(container_id);
    std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(folder.c_str()), ::closedir);
    while (const dirent* entry = listing ? ::readdir(listing.get()) : nullptr) {
        std::string name = entry->d_name;
        if (name != "." && name != "..")
            (void)::umount2((folder + "/" + name).c_str(),
                            MNT_DETACH | UMOUNT_NOFOLLOW); // a file is no mount
    }
}

void SharedFolder::drop_unused_entries() {
    // A remount that changes nothing shrinks the filesystem's dentry cache (the kernel's reconfigure_super):
    // that is the few entries above the shares, because the shares themselves are filesystems of their own.
    if (mounted_)
        (void)::mount(nullptr, path, nullptr, MS_REMOUNT, nullptr);
}

} // namespace runvm::agent
