#pragma once
// What the agent's children do from their birth to their execve. They never return to the agent's code.

#include "agent/mount_trees.h"
#include "agent/setup_channel.h"
#include "agent/stdio.h"
#include "protocol/common.capnp.h"

#include <cstdint>
#include <string>
#include <vector>

namespace runvm::agent {

/// A container's own process. It was born in the container's new namespaces (but the cgroup one) and in its
/// cgroup; it sets up the container around itself and waits for the agent's word before it executes.
struct ContainerChild {
    protocol::Container::Reader container;
    MountTrees trees;
    uint64_t namespaces = 0; ///< CLONE_NEW* that it has of its own
    std::vector<ProcessEnd> ends;
    int reporter = -1; ///< the process's end of the set-up channel
};
[[noreturn]] void run_container_child(ContainerChild child);

/// An exec. It was born in the container's pid namespace and cgroup, and joins its other namespaces.
struct ExecChild {
    protocol::Process::Reader process;
    uint64_t personality = 0;
    std::string session_keyring;
    int container_pidfd = -1;
    int namespaces = 0; ///< CLONE_NEW* to join
    std::vector<ProcessEnd> ends;
    int reporter = -1;
};
[[noreturn]] void run_exec_child(ExecChild child);

} // namespace runvm::agent
