#pragma once
// What the agent itself clones, mounts and makes for a container before its process is born: detached mounts,
// which that process puts into place. What a mount namespace gets as a copy of its parent's is locked
// together if it belongs to another user namespace (mount_namespaces(7)): flags could not be changed, and
// parts not be taken. A detached mount is not, and the agent may make what a user namespace may not.

#include "agent/shared_memory.h"
#include "core/result.h"
#include "os/fd.h"
#include "os/user_namespace.h"
#include "protocol/common.capnp.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace runvm::agent {

/// Where things are in the agent's own tree.
struct MountSources {
    SharedMemory& memory;
    std::string shares;      ///< folder of the container's shares
    std::string cgroup;      ///< folder of the container's cgroup
    std::string devices;     ///< folder for its device nodes, if it has a user namespace
    uint64_t namespaces = 0; ///< CLONE_NEW* that it has of its own
};

struct MountTrees {
    os::Fd root;
    std::vector<os::Fd> mounts;  ///< one for each of the container's; empty: its process makes it
    std::vector<os::Fd> devices; ///< the same; none without a user namespace
    std::vector<std::shared_ptr<SharedMemory::Hold>> memory; ///< what some of `mounts` are of

    std::vector<os::Fd*> all();
};

Result<MountTrees> make_mount_trees(protocol::Container::Reader container, const MountSources& sources,
                                    const os::IdMappings& id_mappings);

} // namespace runvm::agent
