#pragma once
// Which part of a container's network namespace a machine serves.

#include "network/read_state.h"

namespace runvm::network {

/// Its lo, and the links that carry a container's traffic, with what is configured on them: Ethernet links,
/// but for ports of a bridge, for what the kernel puts into every namespace, and for our own taps.
State served_state(const Reading& reading);

} // namespace runvm::network
