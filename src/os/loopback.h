#pragma once

#include "core/result.h"

namespace runvm::os {

/// Brings lo of the caller's network namespace up: in a new namespace it is down.
Result<void> bring_loopback_up();

} // namespace runvm::os
