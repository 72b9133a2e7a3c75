#pragma once
// Ends processes of a container from outside, whatever they are doing. None of these minds one that is gone
// already, or whose pid another process has now; timeout if it does not end after SIGKILL.

#include "core/result.h"
#include "os/fd.h"
#include "state/container.h"

namespace runvm::runtime {

/// Its pidfd; empty if it is gone.
os::Fd open_process(const state::ProcessRef& process);

/// SIGKILL, and waits for the end.
Result<void> end_process(const state::ProcessRef& process);

/// SIGKILL for pid 1 of the shim's namespaces, and waits until it holds no mounts: Podman unmounts the rootfs
/// next. Its end itself comes later: the kernel lets pid 1 go only when the caller has reaped the shim
/// (zap_pid_ns_processes).
Result<void> end_shim_init(const state::ProcessRef& init);

/// Ends the reaper, and waits until its namespace is gone: the monitor, QEMU and virtiofsd. Removes the
/// sandbox's folder.
Result<void> end_sandbox(const state::Container& container);

} // namespace runvm::runtime
