#pragma once
// Which of the host's files a process of the guest watches with inotify, read from /proc. What is asked here
// may wait for the host's file server, so it is for a process of its own.

#include "core/result.h"
#include "os/fd.h"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runvm::agent {

/// An inode as the guest's kernel knows it. The handle leads to it as long as it is cached, which a watched
/// one is.
struct WatchedInode {
    dev_t device = 0;
    uint64_t number = 0;
    int handle_type = 0;
    std::string handle;

    bool operator==(const WatchedInode&) const = default;
};

struct WatchedFile {
    WatchedInode inode;
    std::string path; ///< below SharedFolder::path
};

/// A line of /proc/PID/fdinfo/FD (proc(5), "inotify"); nothing if it is of something else.
std::optional<WatchedInode> parse_inotify_line(std::string_view line);

/// What leads to inodes of the host: the mounts below SharedFolder::path, in the caller's mount namespace.
class SharedMounts {
public:
    SharedMounts();

    bool has(dev_t device) const;
    /// O_PATH of the inode; an error if it is not cached any more.
    Result<os::Fd> open(const WatchedInode& inode);
    /// Where it is below SharedFolder::path.
    Result<std::string> path_of(const WatchedInode& inode);

private:
    struct Mount {
        dev_t device;
        std::string path;
        os::Fd folder; ///< once it has been needed
    };
    std::vector<Mount> mounts_;
};

/// The inodes that `process` watches.
std::vector<WatchedInode> watched_by(pid_t process);

} // namespace runvm::agent
