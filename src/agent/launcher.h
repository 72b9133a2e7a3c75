#pragma once
// Brings a process of a container into being, up to where it sets itself up (child.h).

#include "agent/cgroup.h"
#include "agent/setup_channel.h"
#include "agent/shared_memory.h"
#include "agent/stdio.h"
#include "agent/syscalls.h"
#include "core/result.h"
#include "os/fd.h"
#include "os/process.h"
#include "os/user_namespace.h"
#include "protocol/common.capnp.h"

#include <kj/async-unix.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace runvm::agent {

struct Launched {
    pid_t pid = 0;
    os::Fd pidfd;
    std::shared_ptr<SetupChannel> channel;
    Stdio stdio;                                             ///< without the process's ends
    std::vector<std::shared_ptr<SharedMemory::Hold>> memory; ///< a container's
};

/// How an exec joins its container.
struct ContainerToJoin {
    int init_pidfd = -1;
    pid_t init_pid = 0;
    uint64_t namespaces = 0; ///< CLONE_NEW* that the container has of its own
    uint64_t personality = 0;
    std::string session_keyring;
    os::IdMappings id_mappings; ///< of its user namespace; empty: it has none
    /// The process may be put where the container's own one is, if nothing can be put into the asked cgroup.
    bool may_follow_init = false;
};

class Launcher {
public:
    static Result<Launcher> create(kj::UnixEventPort& event_port);

    /// The namespaces that are made for a container when it asks for these; unsupported for those that the
    /// agent cannot make.
    static Result<uint64_t> namespaces_for(protocol::Container::Reader container);

    /// A container's own process. Resources are not in force yet: its set-up is not limited by them, as with
    /// runc.
    Result<Launched> launch_container(const std::string& id, protocol::Container::Reader container,
                                      uint64_t namespaces, const Cgroup& cgroup);

    Result<Launched> launch_exec(const ContainerToJoin& container, protocol::Process::Reader process,
                                 int cgroup);

    /// The folder of a container's device nodes: mount_trees.h.
    static std::string devices_of(const std::string& id);

private:
    Launcher(kj::UnixEventPort& event_port, os::Fd own_pid_namespace)
        : event_port_(event_port), own_pid_namespace_(std::move(own_pid_namespace)) {}

    Result<os::Spawned> clone_into(const ContainerToJoin& container, int cgroup);

    kj::UnixEventPort& event_port_;
    os::Fd own_pid_namespace_;
    SharedMemory memory_;
};

} // namespace runvm::agent
