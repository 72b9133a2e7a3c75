#include "os/mounts.h"

#include <fcntl.h>
#include <sys/mount.h>

namespace runvm::os {

Result<Fd> clone_tree(const std::string& path, bool recursive) {
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
    Fd tree(::open_tree(AT_FDCWD, path.c_str(), flags));
    if (!tree)
        return system_error("clone the mount at " + path);
    return tree;
}

} // namespace runvm::os
