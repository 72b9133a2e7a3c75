#pragma once
// The capability sets of a process, in runc's order: the bounding set while still privileged, the others
// after the change of user.

#include "core/result.h"

#include <cstdint>

namespace runvm::agent {

/// Bit n is capability n of capabilities(7). What the kernel does not know is left out.
struct CapabilityMasks {
    uint64_t bounding = 0;
    uint64_t effective = 0;
    uint64_t inheritable = 0;
    uint64_t permitted = 0;
    uint64_t ambient = 0;
};

Result<void> limit_bounding_set(const CapabilityMasks& masks);
Result<void> set_capabilities(const CapabilityMasks& masks);

} // namespace runvm::agent
