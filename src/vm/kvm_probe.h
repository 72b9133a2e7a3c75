#pragma once
// A guest of a few instructions that shows whether KVM runs what a stock kernel needs.

#include "core/result.h"

namespace runvm::vm {

/// Runs it in a child process, for at most a second. The error says how far it came.
Result<void> run_kvm_probe();

} // namespace runvm::vm
