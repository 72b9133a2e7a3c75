#pragma once
// How large a machine is that its containers fit into.

#include <cstdint>
#include <vector>

namespace runvm::vm {

struct MachineSize {
    uint32_t vcpus = 1;
    uint64_t memory_mib = 0;
};

/// What a container's limits let it use; 0: they do not say.
struct Demand {
    uint32_t cpus = 0;       ///< its cpu quota, rounded up
    uint32_t cpuset_end = 0; ///< the highest cpu of its set, plus one
    uint64_t memory_bytes = 0;
};

/// `basis` is what containers without limits get. More than `largest` is not asked for, and with limits at
/// least 256 MiB are.
MachineSize size_for(const std::vector<Demand>& demands, const MachineSize& basis,
                     const MachineSize& largest);

} // namespace runvm::vm
