#pragma once
// The container's network namespace on the host, beyond the shims that are in it.

#include "runtime/commands.h"

namespace runvm::runtime {

/// A namespace that was given by its path outlives the machine, and with it what redirected the traffic of
/// its links (network/coupling.h), if the monitor was killed. What fails is a warning.
void release_links(const Context& context, const state::Container& container);

} // namespace runvm::runtime
