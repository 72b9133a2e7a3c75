#pragma once
// Takes into use what is plugged into the machine.

#include "core/result.h"

#include <kj/async.h>
#include <kj/timer.h>

#include <cstdint>

namespace runvm::agent {

class Growth {
public:
    /// `initial_root`: for the driver of memory that is plugged.
    Growth(kj::Timer& timer, int initial_root);

    /// Returns when the guest has `vcpus` cpus, and `memory_mib` of memory on top of what it had when this
    /// was made; timeout after `limit_ms`.
    kj::Promise<Result<void>> grow(uint32_t vcpus, uint64_t memory_mib, uint32_t limit_ms);

private:
    struct Wanted {
        uint32_t vcpus;
        uint64_t memory_bytes;
    };
    kj::Promise<Result<void>> until(Wanted wanted, kj::TimePoint deadline);

    kj::Timer& timer_;
    int initial_root_;
    uint64_t memory_bytes_at_boot_;
};

} // namespace runvm::agent
