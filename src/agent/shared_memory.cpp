#include "agent/shared_memory.h"

#include "agent/mounts.h"
#include "os/file.h"
#include "os/mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>

namespace runvm::agent {

namespace {

constexpr const char* folders = "/run/runvm/memory/";

/// It becomes a folder's name.
bool is_key(const std::string& key) {
    constexpr size_t longest = 32;
    return !key.empty() && key.size() <= longest &&
           std::all_of(key.begin(), key.end(), [](char c) { return (c >= '0' && c <= '9') || c == ':'; });
}

} // namespace

SharedMemory::Hold::~Hold() {
    ::umount2(path_.c_str(), MNT_DETACH);
    ::rmdir(path_.c_str());
}

Result<os::Fd> SharedMemory::Hold::clone() const {
    return os::clone_tree(path_, false);
}

Result<std::shared_ptr<SharedMemory::Hold>> SharedMemory::hold(const std::string& key,
                                                               const std::string& options) {
    if (!is_key(key))
        return Error(ErrorKind::invalid_argument, "bad key of shared memory `" + key + "`");
    std::erase_if(holds_, [](const auto& entry) { return entry.second.expired(); });
    if (auto held = holds_[key].lock())
        return held;
    std::string path = folders + key;
    RUNVM_ASSIGN(os::Fd tree, make_filesystem("tmpfs", "shm", MS_NOSUID | MS_NODEV, options));
    RUNVM_TRY(os::make_folders(path, 0700));
    auto made = std::make_shared<Hold>(path);
    RUNVM_ASSIGN(os::Fd folder, os::open_file(path, O_PATH | O_DIRECTORY));
    RUNVM_TRY(attach_tree(tree.get(), folder.get(), path));
    holds_[key] = made;
    return made;
}

} // namespace runvm::agent
