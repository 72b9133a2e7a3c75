#include "cgroup/systemd/unit.h"

#include "cgroup/systemd/bus.h"
#include "core/number.h"
#include "core/take_until.h"

#include <sys/stat.h>

#include <limits>
#include <map>
#include <optional>
#include <string_view>

namespace runvm::cgroup::systemd {

namespace {

constexpr uint64_t infinity = std::numeric_limits<uint64_t>::max();
constexpr uint64_t default_period_us = 100'000; // Documentation/scheduler/sched-bwc.rst
constexpr uint64_t second_us = 1'000'000;
// systemd keeps a quota in whole percents.
constexpr uint64_t percent_us = 10'000;

uint64_t number_of(std::string_view text) {
    return whole_number<uint64_t>(text).value_or(infinity); // "max", "-1"
}

/// A list such as "0,2" as bits, the first in the lowest bit of the first byte.
std::vector<uint8_t> bits_of(std::string_view list) {
    std::vector<uint8_t> bits;
    while (!list.empty()) {
        size_t number = whole_number<size_t>(take_until(list, ',')).value_or(0); // of common_numbers
        if (bits.size() <= number / 8)
            bits.resize(number / 8 + 1);
        bits[number / 8] = static_cast<uint8_t>(bits[number / 8] | 1U << number % 8);
    }
    return bits;
}

struct Quota {
    std::optional<uint64_t> quota_us; ///< infinity: none
    std::optional<uint64_t> period_us;
};

void add_quota(const Quota& quota, std::vector<Property>& properties) {
    if (quota.period_us)
        properties.push_back({"CPUQuotaPeriodUSec", *quota.period_us});
    if (!quota.quota_us)
        return;
    uint64_t a_second = infinity;
    if (*quota.quota_us != infinity) {
        a_second = *quota.quota_us * second_us / quota.period_us.value_or(default_period_us);
        a_second = (a_second + percent_us - 1) / percent_us * percent_us;
    }
    properties.push_back({"CPUQuotaPerSecUSec", a_second});
}

} // namespace

bool is_running() {
    struct stat info {};
    return ::lstat("/run/systemd/system", &info) == 0 && S_ISDIR(info.st_mode); // sd_booted(3)
}

Result<std::string> path_of_unit(const std::string& slice, const std::string& unit) {
    constexpr std::string_view suffix = ".slice";
    Error invalid(ErrorKind::invalid_argument, "invalid slice name: " + slice);
    if (unit.empty() || unit.find('/') != std::string::npos)
        return Error(ErrorKind::invalid_argument, "invalid unit name: " + unit);
    if (slice.size() <= suffix.size() || !slice.ends_with(suffix) || slice.find('/') != std::string::npos)
        return invalid;
    if (slice == "-.slice")
        return "/" + unit;
    std::string path;
    std::string prefix;
    std::string name = slice.substr(0, slice.size() - suffix.size());
    for (size_t begin = 0; begin <= name.size();) {
        size_t end = std::min(name.find('-', begin), name.size());
        if (end == begin)
            return invalid;
        prefix = name.substr(0, end);
        path += "/" + prefix + std::string(suffix);
        begin = end + 1;
    }
    return path + "/" + unit;
}

std::vector<Property> properties_of(const std::vector<Setting>& settings) {
    static const std::map<std::string_view, const char*> names = {
        {"memory.limit_in_bytes", "MemoryLimit"},
        {"memory.max", "MemoryMax"},
        {"memory.low", "MemoryLow"},
        {"memory.swap.max", "MemorySwapMax"},
        {"cpu.shares", "CPUShares"},
        {"cpu.weight", "CPUWeight"},
        {"blkio.weight", "BlockIOWeight"},
        {"blkio.bfq.weight", "BlockIOWeight"},
    };
    std::vector<Property> properties;
    Quota quota;
    for (const Setting& setting : settings) {
        std::string_view file = setting.file;
        file = file.substr(file.rfind('/') + 1);
        std::string_view value = setting.value;
        if (auto name = names.find(file); name != names.end()) {
            properties.push_back({name->second, number_of(value)});
        } else if (file == "cpuset.cpus" || file == "cpuset.mems") {
            properties.push_back(
                {file.ends_with("cpus") ? "AllowedCPUs" : "AllowedMemoryNodes", bits_of(value)});
        } else if (file == "cpu.cfs_quota_us") {
            quota.quota_us = number_of(value);
        } else if (file == "cpu.cfs_period_us") {
            quota.period_us = number_of(value);
        } else if (file == "cpu.max") {
            quota.quota_us = number_of(take_until(value, ' '));
            quota.period_us = number_of(value);
        }
    }
    add_quota(quota, properties);
    return properties;
}

Result<void> start(const Unit& unit, pid_t first) {
    RUNVM_ASSIGN(Bus bus, Bus::open());
    std::vector<Property> properties = {{"Description", std::string("runvm container " + unit.container)}};
    if (unit.name.ends_with(".slice")) {
        properties.push_back({"Wants", std::vector<std::string>{unit.slice}});
    } else {
        properties.push_back({"Slice", unit.slice});
        properties.push_back({"Delegate", true});
    }
    properties.push_back({"PIDs", std::vector<uint32_t>{static_cast<uint32_t>(first)}});
    for (const char* name : {"MemoryAccounting", "CPUAccounting",
                             unit.v2 ? "IOAccounting" : "BlockIOAccounting", "TasksAccounting"})
        properties.push_back({name, true});
    properties.push_back({"DefaultDependencies", false});
    auto started = bus.start_transient_unit(unit.name, properties);
    if (!started && started.error().kind() == ErrorKind::already_exists) {
        // What is left of a unit that failed keeps the name until then.
        (void)bus.reset_failed_unit(unit.name);
        started = bus.start_transient_unit(unit.name, properties);
    }
    return std::move(started).context("start the systemd unit " + unit.name);
}

Result<void> set_limits(const std::string& unit, const std::vector<Setting>& settings) {
    std::vector<Property> properties = properties_of(settings);
    if (properties.empty())
        return {};
    RUNVM_ASSIGN(Bus bus, Bus::open());
    return bus.set_unit_properties(unit, properties).context("set limits of the systemd unit " + unit);
}

Result<void> stop(const std::string& unit) {
    RUNVM_ASSIGN(Bus bus, Bus::open());
    auto stopped = bus.stop_unit(unit);
    (void)bus.reset_failed_unit(unit); // it may have failed: systemd would keep it
    return std::move(stopped).context("stop the systemd unit " + unit);
}

} // namespace runvm::cgroup::systemd
