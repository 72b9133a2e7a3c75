#pragma once
// Starts a sandbox's monitor.

#include "core/result.h"
#include "os/fd.h"
#include "os/process.h"
#include "runtime/commands.h"
#include "runtime/host_cgroup.h"

#include <string>

namespace runvm::runtime {

struct StartedMonitor {
    os::Spawned reaper; ///< pid 1 of the sandbox's pid namespace: its end is the end of the sandbox
    os::Fd connection;  ///< a connected socket: no need to wait until the monitor listens
};

/// In a pid, mount, ipc and (empty) network namespace of its own, with a session of its own: conmon kills
/// process groups. `sandbox_folder` exists; the socket and the log are made in it.
Result<StartedMonitor> start_monitor(const Layout& layout, const std::string& sandbox_folder,
                                     const EnterCgroup& enter_cgroup);

/// The reaper of a sandbox whose container's state does not say it: not yet, or no longer readable. None (pid
/// 0) if there is no monitor.
state::ProcessRef reaper_of(const std::string& sandbox_folder);

/// The end of the monitor's log, for an error's message.
std::string monitor_log_tail(const std::string& sandbox_folder);

} // namespace runvm::runtime
