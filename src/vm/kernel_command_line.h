#pragma once
// What the guest's kernel is told.

#include <string>

namespace runvm::vm {

/// The whole command line: ours for `accelerator` ("kvm" or "tcg"), then what the configuration adds, which
/// wins.
std::string kernel_command_line(const std::string& accelerator, const std::string& added);

} // namespace runvm::vm
