#pragma once
// Starts the shims of a container.

#include "core/result.h"
#include "oci/config.h"
#include "os/fd.h"
#include "os/process.h"
#include "runtime/commands.h"
#include "runtime/host_cgroup.h"
#include "runtime/process_streams.h"

#include <string>
#include <vector>

namespace runvm::runtime {

struct StartedInit {
    os::Spawned process;
    os::Fd alive; ///< write end: each shim holds one; ours must be closed before we leave
    os::Fd ready; ///< of one that is held: what it says
    os::Fd hold;  ///< of one that is held
};

/// Pid 1 of the container's host namespaces, with the rootfs as its root. If the plan has hooks that come
/// before that, it is held: the rootfs is a mount of its own below the host's root, until `release`.
Result<StartedInit> start_shim_init(const Layout& layout, const oci::HostPlan& plan,
                                    const EnterCgroup& enter_cgroup);

/// Lets one that is held go on, and waits until the rootfs is its root.
Result<void> release(StartedInit& init);

/// The namespaces that a shim joins, of an init that lives (for exec).
Result<StartedInit> open_shim_init(const state::ProcessRef& init);

struct ShimRequest {
    std::string id;
    std::string exec_id;
    const StartedInit* init = nullptr;
    EnterCgroup enter_cgroup{};
    std::string memory_cgroup; ///< its folder, of the container's own process; empty: none
    os::Fd monitor;            ///< a connected socket
    os::Fd terminal;           ///< the pty's slave, or empty
    int preserve_fds = 0;
    std::vector<ProcessStream>* streams = nullptr; ///< their shim ends are taken
};

/// The pid that the caller will see: a child of this process, so that it reparents to the caller's subreaper
/// and not to the namespace's pid 1.
Result<os::Spawned> start_shim(const Layout& layout, ShimRequest request);

} // namespace runvm::runtime
