#pragma once

#include <cstdint>

namespace runvm::os {

/// What the machine has, less what its kernel keeps for itself from the start. It grows when memory is
/// plugged.
uint64_t memory_bytes();

} // namespace runvm::os
