#include "os/mounts.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

#include <thread>

namespace runvm::os {

Result<Fd> clone_tree(const std::string& path, bool recursive) {
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
    Fd tree(::open_tree(AT_FDCWD, path.c_str(), flags));
    if (!tree)
        return system_error("clone the mount at " + path);
    return tree;
}

Result<Fd> clone_root_of(int pidfd) {
    Result<Fd> tree = Error(ErrorKind::internal, "no thread");
    // A thread may change its mount namespace once it shares its root and folder with no other; descriptors
    // it shares all the same.
    std::thread([&] {
        if (::unshare(CLONE_FS) != 0 || ::setns(pidfd, CLONE_NEWNS) != 0)
            tree = system_error("enter the mount namespace of another process");
        else
            tree = clone_tree("/", true);
    }).join();
    return tree;
}

} // namespace runvm::os
