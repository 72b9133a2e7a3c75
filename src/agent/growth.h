#pragma once
// Takes into use what the machine has, or what is plugged into it.

#include "core/result.h"

#include <kj/async.h>
#include <kj/timer.h>

#include <cstdint>
#include <functional>

namespace runvm::agent {

class Growth {
public:
    /// `more_cpus` is called when the guest has got some.
    Growth(kj::Timer& timer, int initial_root, std::function<void()> more_cpus);

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
    int initial_root_; ///< for the module; it must outlive this
    std::function<void()> more_cpus_;
    uint32_t cpus_; ///< that `more_cpus_` has been told of
    uint64_t memory_bytes_at_boot_;
};

} // namespace runvm::agent
