#include "vm/machine_size.h"

#include <algorithm>

namespace runvm::vm {

namespace {

// What the guest's kernel and agent need besides the containers' memory: a part of it, for the pages' own
// records and reserves, and a constant (docs/performance.md, "Memory").
constexpr uint64_t guest_overhead_mib = 112;
constexpr uint64_t guest_overhead_divisor = 16;
constexpr uint64_t smallest_guest_mib = 256;
constexpr uint64_t mib = 1024 * 1024;

} // namespace

MachineSize size_for(const std::vector<Demand>& demands, const MachineSize& basis,
                     const MachineSize& largest) {
    uint64_t limits_mib = 0;
    bool unlimited = demands.empty();
    uint64_t cpus = 0;
    uint32_t cpuset_end = 0;
    for (const Demand& demand : demands) {
        cpus += demand.cpus;
        cpuset_end = std::max(cpuset_end, demand.cpuset_end);
        if (demand.memory_bytes == 0)
            unlimited = true;
        else // no sum can overflow: each is at most what there is
            limits_mib += std::min(demand.memory_bytes / mib + 1, largest.memory_mib);
    }
    uint64_t memory_mib = basis.memory_mib;
    if (limits_mib > 0) {
        memory_mib = unlimited ? basis.memory_mib : guest_overhead_mib;
        memory_mib += limits_mib + limits_mib / guest_overhead_divisor;
        memory_mib = std::max(smallest_guest_mib, std::min(memory_mib, largest.memory_mib));
    }
    uint64_t vcpus = std::max({cpus, uint64_t{cpuset_end}, uint64_t{basis.vcpus}});
    vcpus = std::min<uint64_t>(vcpus, std::max(largest.vcpus, basis.vcpus));
    return {static_cast<uint32_t>(vcpus), memory_mib};
}

} // namespace runvm::vm
