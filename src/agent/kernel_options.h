#pragma once
// What the host tells the agent on the kernel's command line: words of the form runvm.NAME=VALUE.

#include <map>
#include <string>

namespace runvm::agent {

/// NAME to VALUE; of a name given twice the last counts.
using KernelOptions = std::map<std::string, std::string>;

KernelOptions parse_kernel_options(const std::string& command_line);

} // namespace runvm::agent
