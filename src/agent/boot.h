#pragma once
// From the kernel's hand-over to a guest in which containers can be started.

#include "agent/kernel_options.h"
#include "core/result.h"

#include <string>

namespace runvm::agent {

/// Moves into a root that containers can pivot out of, mounts the kernel's filesystems, loads the modules of
/// the initial RAM disk, brings lo up, prepares cgroups. Returns the options of the kernel's command line. An
/// error is fatal.
Result<KernelOptions> boot_guest();

/// Loads a module that the guest rarely needs (guest/modules.list), if the kernel does not have it yet.
Result<void> load_module_on_demand(const std::string& name);

/// Prints an error and powers the machine off.
[[noreturn]] void give_up(const std::string& why);

/// Kills every process but the agent and powers the machine off.
[[noreturn]] void power_off();

} // namespace runvm::agent
