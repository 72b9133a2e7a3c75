#pragma once
// What the guest's kernel is told.

#include <cstdint>
#include <string>

namespace runvm::vm {

/// The whole command line: ours for `accelerator` ("kvm" or "tcg"), then what the configuration adds, which
/// wins. `vcpus`: how many the kernel uses from its boot on; `tsc_khz`: the host's, see vm/cpuinfo.h; 0:
/// unknown.
std::string kernel_command_line(const std::string& accelerator, uint32_t vcpus, const std::string& added,
                                uint32_t tsc_khz);

/// The same with this host's frequency. May wait 10 ms for it.
std::string kernel_command_line(const std::string& accelerator, uint32_t vcpus, const std::string& added);

} // namespace runvm::vm
