#pragma once
// The hooks of a container that is there: of its start, and after its end.

#include "oci/hooks.h"
#include "runtime/commands.h"
#include "runtime/monitor_connection.h"

namespace runvm::runtime {

/// The start itself, and the hooks that run in the guest.
Result<void> start_in_guest(Context& context, MonitorConnection& connection, const std::string& id,
                            const oci::Hooks& hooks);

/// If one fails, so has the start, and the container is to be killed (runtime.md, "Lifecycle", 9).
Result<void> run_poststart(const state::Container& container, const oci::Hooks& hooks);

/// For a container of which nothing is left. What fails is a warning (runtime.md, "Lifecycle", 13).
void run_poststop(Context& context, const state::Container& container, const oci::Hooks& hooks);

} // namespace runvm::runtime
