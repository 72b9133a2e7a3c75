#pragma once
// `run` and `exec` without --detach: stands between the caller and the shim until the process has ended.

#include "core/result.h"
#include "os/process.h"
#include "runtime/host_terminal.h"

namespace runvm::runtime {

/// Blocks all signals of this process, before the shim is started: none that arrives from now on is lost.
void hold_signals();

/// Forwards every signal to the shim, carries the terminal (if `terminal` has a master) between this
/// process's stdio and it, and returns the shell's exit code of the shim. The caller's terminal is raw
/// meanwhile.
Result<int> stay_in_foreground(const os::Spawned& shim, HostTerminal* terminal);

} // namespace runvm::runtime
