#pragma once
// The mounts of config.json, made in the container's mount namespace before its pivot_root, in their order.

#include "agent/rootfs.h"
#include "core/result.h"
#include "os/fd.h"
#include "protocol/common.capnp.h"

#include <sys/mount.h>

#include <cstdint>
#include <string>
#include <vector>

namespace runvm::agent {

class Mounts {
public:
    explicit Mounts(const Rootfs& rootfs) : rootfs_(rootfs) {}

    /// `prepared`: the detached mount that the agent has made for it (mount_trees.h), if it has.
    Result<void> add(protocol::Mount::Reader mount, os::Fd prepared);

    /// Makes those filesystems read-only that were to be: not at once, because later mounts and the default
    /// devices still need their mount points in them (runc's finalizeRootfs does the same).
    Result<void> finish();

private:
    Result<void> add_share(protocol::Mount::Reader mount, int tree);
    Result<void> add_filesystem(protocol::Mount::Reader mount, os::Fd prepared);
    Result<void> add_cgroup(protocol::Mount::Reader mount, os::Fd prepared);
    Result<void> change_existing(protocol::Mount::Reader mount);
    Result<void> attach(int tree, protocol::Mount::Reader mount);

    const Rootfs& rootfs_;
    std::vector<os::Fd> read_only_later_;
};

/// A detached copy of the mount that `fd` (O_PATH) refers to a place of, with its submounts: os::clone_tree
/// for what was reached by descriptor.
Result<os::Fd> clone_tree_of(int fd, const std::string& name);

/// A detached new mount of a filesystem. `flags`: MS_*; `data`: its options as for mount(2).
Result<os::Fd> make_filesystem(const std::string& type, const std::string& source, uint64_t flags,
                               const std::string& data);

/// The same for a mount of config.json, but writable: see Mounts::finish.
Result<os::Fd> make_filesystem(protocol::Mount::Reader mount);

/// Puts a detached mount on what the O_PATH descriptor `target` refers to.
Result<void> attach_tree(int tree, int target, const std::string& name);

/// mount_setattr(2) of the mount that `fd` is the root of.
Result<void> change_mount(int fd, mount_attr attributes, bool recursive, const std::string& name);

/// Changes propagation; `flags`: one of MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE, with MS_REC or not.
Result<void> change_propagation(int fd, uint64_t flags, const std::string& name);

/// Is a share's name of the right form (sandbox.capnp, Share)?
bool valid_share_name(const std::string& name);

} // namespace runvm::agent
