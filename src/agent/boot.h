#pragma once
// From the kernel's hand-over to a guest in which containers can be started.

#include "agent/kernel_options.h"
#include "core/result.h"
#include "os/fd.h"

#include <string>

namespace runvm::agent {

struct BootedGuest {
    KernelOptions kernel_options; ///< of the kernel's command line
    os::Fd initial_root;          ///< the initial RAM disk, which nothing else leads to any more
};

/// Moves into a root that containers can pivot out of, mounts the kernel's filesystems, loads the modules of
/// the initial RAM disk, brings lo up, prepares cgroups. An error is fatal.
Result<BootedGuest> boot_guest();

/// Loads a module that the guest rarely needs (guest/modules.list), if the kernel does not have it yet; one
/// that the initial RAM disk lacks is built in.
Result<void> load_module_on_demand(int initial_root, const std::string& name);

/// Prints an error and powers the machine off.
[[noreturn]] void give_up(const std::string& why);

/// Kills every process but the agent and powers the machine off.
[[noreturn]] void power_off();

} // namespace runvm::agent
