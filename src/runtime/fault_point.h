#pragma once
// Named places in the commands where tests stop the CLI, to kill one of our processes at that very step
// (tests/faults). Without RUNVM_FAULT_POINT in the environment they do nothing.

namespace runvm::runtime {

/// Stops this process (SIGSTOP) if RUNVM_FAULT_POINT is `name`; a test continues it with SIGCONT.
void fault_point(const char* name);

} // namespace runvm::runtime
