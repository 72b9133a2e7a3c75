#pragma once
// From the kernel's hand-over to a guest in which containers can be started.

#include "core/result.h"

#include <map>
#include <string>

namespace runvm::agent {

/// Loads the modules of the initial RAM disk, moves into a root that containers can pivot out of, mounts the
/// kernel's filesystems, brings lo up, prepares cgroups. Returns the options of the kernel's command line. An
/// error is fatal.
Result<std::map<std::string, std::string>> boot_guest();

/// Prints an error and powers the machine off.
[[noreturn]] void give_up(const std::string& why);

/// Kills every process but the agent, syncs, and powers the machine off.
[[noreturn]] void power_off();

} // namespace runvm::agent
