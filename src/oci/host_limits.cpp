#include "oci/host_limits.h"

#include "oci/resources.h"

namespace runvm::oci {

namespace {

// The kernel's: 12 bits of a major number, 20 of a minor one.
constexpr int64_t max_major = 4095;
constexpr int64_t max_minor = 1048575;

struct DeviceNumber {
    int64_t major;
    int64_t minor;
};

DeviceNumber read_device(const Value& element) {
    for (const char* key : {"major", "minor"})
        if (!element[key].present())
            element[key].fail("a device is named by its major and minor number");
    return {element["major"].integer(0, max_major), element["minor"].integer(0, max_minor)};
}

std::vector<cgroup::Limits::DeviceRate> read_rates(const Value& list) {
    std::vector<cgroup::Limits::DeviceRate> rates;
    for (const Value& element : list.elements()) {
        DeviceNumber device = read_device(element);
        rates.push_back({device.major, device.minor, element["rate"].natural(UINT64_MAX)});
    }
    return rates;
}

void read_block_io(const Value& block_io, cgroup::Limits& limits) {
    limits.block_weight = block_io["weight"].natural(UINT16_MAX);
    limits.block_weight_v2 = io_weight(limits.block_weight);
    for (const Value& element : block_io["weightDevice"].elements()) {
        DeviceNumber device = read_device(element);
        uint64_t weight = element["weight"].natural(UINT16_MAX);
        if (weight != 0) // a leafWeight alone
            limits.device_weights.push_back({device.major, device.minor, weight});
    }
    limits.read_bytes = read_rates(block_io["throttleReadBpsDevice"]);
    limits.write_bytes = read_rates(block_io["throttleWriteBpsDevice"]);
    limits.read_operations = read_rates(block_io["throttleReadIOPSDevice"]);
    limits.write_operations = read_rates(block_io["throttleWriteIOPSDevice"]);
}

} // namespace

cgroup::Limits read_host_limits(const Value& resources) {
    cgroup::Limits limits;
    const Value memory = resources["memory"];
    limits.memory_bytes = memory["limit"].integer(-1, INT64_MAX);
    limits.memory_swap_bytes = memory["swap"].integer(-1, INT64_MAX);
    limits.reservation_bytes = memory["reservation"].integer(-1, INT64_MAX);
    const Value cpu = resources["cpu"];
    limits.cpu_shares = cpu["shares"].natural(UINT64_MAX);
    limits.cpu_weight = cpu_weight(limits.cpu_shares);
    limits.cpu_quota_us = cpu["quota"].integer(INT64_MIN, INT64_MAX);
    limits.cpu_period_us = cpu["period"].natural(UINT64_MAX);
    limits.cpus = cpu["cpus"].text();
    limits.mems = cpu["mems"].text();
    read_block_io(resources["blockIO"], limits);
    return limits;
}

} // namespace runvm::oci
