#pragma once
// Which of a container's limits hold on the host, and how they are written there. All of them hold in the
// guest (oci/resources.h), where the container's processes are; here they bound the machine as a whole. The
// table is docs/cgroups.md.

#include "cgroup/place.h"
#include "core/result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace runvm::cgroup {

/// The host's part of linux.resources. Sizes are the container's own: what its machine needs beside comes on
/// top of them (Room).
struct Limits {
    struct DeviceRate {
        int64_t major = 0;
        int64_t minor = 0;
        uint64_t rate = 0; ///< bytes or operations a second
    };
    struct DeviceWeight {
        int64_t major = 0;
        int64_t minor = 0;
        uint64_t weight = 0;
    };

    int64_t memory_bytes = 0;      ///< 0: not set; -1: none
    int64_t memory_swap_bytes = 0; ///< memory and swap together; the same
    int64_t reservation_bytes = 0; ///< the same
    uint64_t cpu_shares = 0;       ///< 0: not set, as all that follow
    uint64_t cpu_weight = 0;       ///< the shares, as cgroup v2 has them
    int64_t cpu_quota_us = 0;      ///< negative: none
    uint64_t cpu_period_us = 0;
    std::string cpus;
    std::string mems;
    uint64_t block_weight = 0;    ///< 10 to 1000
    uint64_t block_weight_v2 = 0; ///< the same, as cgroup v2's io.weight has it
    std::vector<DeviceWeight> device_weights;
    std::vector<DeviceRate> read_bytes;
    std::vector<DeviceRate> write_bytes;
    std::vector<DeviceRate> read_operations;
    std::vector<DeviceRate> write_operations;
};

/// What a machine may take, all in all, when its containers have used up their limits.
struct Room {
    uint64_t machine_bytes = 0;   ///< the guest's memory
    uint64_t processes_bytes = 0; ///< QEMU, virtiofsd, monitor, shims
};

/// One write into a file of the cgroup.
struct Setting {
    std::string file; ///< its path
    std::string value;
    bool optional = false; ///< no error if the kernel has no such file
};

/// When a limit is written.
enum class When {
    at_once,
    /// Once the container has been made: a quota would make the machine's boot last for ever.
    when_created,
};

/// What to write, in this order. What belongs to hierarchies that the place is not in is left out.
std::vector<Setting> settings_of(const Limits& limits, const Room& room, const Place& place, When when);

/// Those of the cpus (or nodes) of `wanted` that are in `available`, both in the kernel's list format; empty
/// if there are none, or if `wanted` is no such list. Exposed for the tests.
std::string common_numbers(const std::string& wanted, const std::string& available);

/// Writes all of them. An error names the file and the value; what was written before stays.
Result<void> apply(const std::vector<Setting>& settings);

/// Changes the limits of a container that runs. A guest that is to have more memory must find it, and one
/// that has not given anything back yet must not be killed for it: so all but smaller memory limits are
/// written by `widen`, before the guest has its new limits, and those by `tighten`, afterwards.
class Change {
public:
    Change(const Limits& limits, const Room& room, const Place& place);

    /// An error takes back what was written.
    Result<void> widen();
    /// As far as what is used allows: pages that a guest has touched come back late, or never. Best effort.
    void tighten() const;
    /// Writes what was there before `widen`; best effort, too.
    void undo();

private:
    std::vector<Setting> wider_;
    std::vector<Setting> tighter_;
    std::vector<Setting> before_; ///< of what has been written, the last first
};

} // namespace runvm::cgroup
