#include "oci/resources.h"

#include "core/number.h"
#include "core/take_until.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace runvm::oci {

namespace {

struct File {
    std::string name;
    std::string value;
    bool optional = false;
};
using Files = std::vector<File>;

constexpr uint64_t min_block_weight = 10;
constexpr uint32_t max_cpus = 8192; // CONFIG_NR_CPUS of the largest kernels for x86-64

// What v2 files with a .max, .min, .low or .high suffix take: -1 lifts a limit, as it did in cgroup v1.
std::string limit_text(int64_t value) {
    return value == -1 ? "max" : std::to_string(value);
}

void read_pids(const Value& pids, Files& files) {
    if (!pids["limit"].present())
        return;
    int64_t limit = pids["limit"].integer(INT64_MIN, INT64_MAX);
    // runc: no limit below 0, and at least the one process.
    files.push_back({"pids.max", limit < 0 ? "max" : std::to_string(std::max<int64_t>(limit, 1))});
}

// swap is memory and swap together in config.json, and swap alone in cgroup v2. runc's rules and words
// (ConvertMemorySwapToCgroupV2Value, fs2/memory.go). 0 means not set.
void read_swap(const Value& memory, int64_t limit, Files& files) {
    int64_t swap = memory["swap"].integer(-1, INT64_MAX);
    // A guest without swap support has no memory.swap.max: then only a real limit is an error.
    if ((limit == -1 && swap == 0) || swap == -1) {
        files.push_back({"memory.swap.max", "max", true});
    } else if (swap == 0) {
        return;
    } else if (limit == -1) {
        files.push_back({"memory.swap.max", std::to_string(swap)});
    } else if (limit == 0) {
        memory["swap"].fail("unable to set swap limit without memory limit");
    } else if (swap < limit) {
        memory["swap"].fail("memory+swap limit should be >= memory limit");
    } else {
        files.push_back({"memory.swap.max", std::to_string(swap - limit), swap == limit});
    }
}

void read_memory(const Value& memory, Files& files) {
    int64_t limit = memory["limit"].integer(-1, INT64_MAX);
    int64_t reservation = memory["reservation"].integer(-1, INT64_MAX);
    read_swap(memory, limit, files);
    if (limit != 0)
        files.push_back({"memory.max", limit_text(limit)});
    if (reservation != 0)
        files.push_back({"memory.low", limit_text(reservation)});
}

void read_cpu(const Value& cpu, Files& files) {
    if (cpu["idle"].present())
        files.push_back({"cpu.idle", std::to_string(cpu["idle"].integer(0, 1))});
    if (uint64_t weight = cpu_weight(cpu["shares"].natural(UINT64_MAX)))
        files.push_back({"cpu.weight", std::to_string(weight)});
    int64_t quota = cpu["quota"].integer(INT64_MIN, INT64_MAX);
    uint64_t period = cpu["period"].natural(UINT64_MAX);
    if (quota != 0 || period != 0) {
        constexpr uint64_t default_period_us = 100000; // Documentation/admin-guide/cgroup-v2.rst
        files.push_back({"cpu.max", (quota > 0 ? std::to_string(quota) : "max") + " " +
                                        std::to_string(period == 0 ? default_period_us : period)});
    }
    // After the quota, which it may not exceed. runc tries it first as well, for updates.
    if (cpu["burst"].present())
        files.push_back({"cpu.max.burst", std::to_string(cpu["burst"].natural(UINT64_MAX))});
    std::string cpus = cpu["cpus"].text();
    std::string mems = cpu["mems"].text();
    if (!cpus.empty())
        files.push_back({"cpuset.cpus", cpus});
    if (!mems.empty())
        files.push_back({"cpuset.mems", mems});
}

void read_block_io(const Value& block_io, Files& files) {
    constexpr uint64_t max_weight = 1000;
    uint64_t weight = block_io["weight"].natural(UINT16_MAX);
    if (weight == 0)
        return;
    if (weight < min_block_weight || weight > max_weight)
        block_io["weight"].fail_found("allowed are 10 to 1000");
    // A guest without weights has no such file.
    files.push_back({"io.weight", "default " + std::to_string(io_weight(weight)), true});
}

void read_hugepage_limits(const Value& limits, Files& files) {
    for (const Value& element : limits.elements()) {
        std::string size = element["pageSize"].text();
        // config-linux.md: "<size><unit-prefix>B"
        size_t digits = size.find_first_not_of("0123456789");
        bool valid =
            digits != std::string::npos && digits > 0 &&
            (size.substr(digits) == "KB" || size.substr(digits) == "MB" || size.substr(digits) == "GB");
        if (!valid)
            element["pageSize"].fail_found("a size such as 64KB, 2MB or 1GB is expected");
        std::string limit = std::to_string(element["limit"].natural(UINT64_MAX));
        files.push_back({"hugetlb." + size + ".max", limit});
        files.push_back({"hugetlb." + size + ".rsvd.max", limit, true}); // since kernel 5.7; runc
    }
}

void read_unified(const Value& unified, Files& files) {
    for (const auto& [name, value] : unified.members()) {
        if (name.find('/') != std::string::npos)
            value.fail("unified resource \"" + name + "\" must be a file name (no slashes)"); // runc's words
        if (name.find('.') == std::string::npos || name[0] == '.')
            value.fail("unified resource \"" + name +
                       "\" must be in the form CONTROLLER.PARAMETER"); // runc's words
        std::string text = value.text(); // a line is a write of its own, as in runc
        for (std::string_view rest = text; !rest.empty();)
            if (std::string_view line = take_until(rest, '\n'); !line.empty())
                files.push_back({name, std::string(line)});
    }
}

struct Rule {
    bool allow = false;
    char type = 'a';
    int64_t major = -1;
    int64_t minor = -1;
    std::string access;
};

// runc appends these to whatever the bundle says (libcontainer/specconv, AllowedDevices), and callers rely on
// it: making any node, and using the ones that every container has.
const Rule default_rules[] = {
    {true, 'c', -1, -1, "m"},    // mknod
    {true, 'b', -1, -1, "m"},    // mknod
    {true, 'c', 1, 3, "rwm"},    // null
    {true, 'c', 1, 8, "rwm"},    // random
    {true, 'c', 1, 7, "rwm"},    // full
    {true, 'c', 5, 0, "rwm"},    // tty
    {true, 'c', 1, 5, "rwm"},    // zero
    {true, 'c', 1, 9, "rwm"},    // urandom
    {true, 'c', 136, -1, "rwm"}, // pts
    {true, 'c', 5, 2, "rwm"},    // ptmx
    {true, 'c', 10, 200, "rwm"}, // net/tun
};

Rule read_rule(const Value& element) {
    Rule rule;
    rule.allow = element["allow"].boolean();
    std::string type = element["type"].text();
    if (type.empty())
        type = "a";
    if (type != "a" && type != "b" && type != "c")
        element["type"].fail_found("allowed are a, b, c");
    rule.type = type[0];
    rule.major = element["major"].integer(-1, UINT32_MAX, -1);
    rule.minor = element["minor"].integer(-1, UINT32_MAX, -1);
    rule.access = element["access"].text();
    if (rule.access.empty())
        element["access"].fail("device access cannot be empty"); // runc's words
    if (rule.access.find_first_not_of("rwm") != std::string::npos)
        element["access"].fail_found("allowed are the letters r, w, m");
    return rule;
}

void read_device_rules(const Value& elements, protocol::Resources::Builder built) {
    std::vector<Rule> rules;
    for (const Value& element : elements.elements())
        rules.push_back(read_rule(element));
    rules.insert(rules.end(), std::begin(default_rules), std::end(default_rules));
    auto list = built.initDeviceRules(static_cast<unsigned>(rules.size()));
    for (unsigned i = 0; i < rules.size(); ++i) {
        list[i].setAllow(rules[i].allow);
        list[i].setType(static_cast<uint8_t>(rules[i].type));
        list[i].setMajor(rules[i].major);
        list[i].setMinor(rules[i].minor);
        list[i].setAccess(rules[i].access.c_str());
    }
}

/// Of "QUOTA PERIOD": cpus, rounded up.
uint32_t cpus_of_quota(std::string_view limit) {
    size_t space = limit.find(' ');
    auto quota = whole_number<uint64_t>(limit.substr(0, space));
    auto period = whole_number<uint64_t>(limit.substr(std::min(space, limit.size() - 1) + 1));
    if (!quota || !period || *period == 0)
        return 0;
    return static_cast<uint32_t>(std::min<uint64_t>(*quota / *period + (*quota % *period != 0), max_cpus));
}

/// Of a list such as "0-2,4" (cpuset(7), "List format"): the highest cpu plus one.
uint32_t end_of_cpus(std::string_view list) {
    uint32_t end = 0;
    while (!list.empty()) {
        std::string_view range = take_until(list, ',');
        std::string_view last = range.substr(range.rfind('-') + 1); // npos + 1 is 0
        auto cpu = whole_number<uint32_t>(last.substr(0, last.find(':')));
        if (!cpu || *cpu >= max_cpus)
            return 0;
        end = std::max(end, *cpu + 1);
    }
    return end;
}

/// Of what is no number, or "max", nothing is read: the guest's kernel judges it.
void read_demand(const Files& files, protocol::Resources::Demand::Builder demand) {
    for (const File& file : files) {
        if (file.name == "memory.max")
            demand.setMemoryBytes(whole_number<uint64_t>(file.value).value_or(0));
        else if (file.name == "cpu.max")
            demand.setCpus(cpus_of_quota(file.value));
        else if (file.name == "cpuset.cpus")
            demand.setCpusetEnd(end_of_cpus(file.value));
    }
}

} // namespace

uint64_t cpu_weight(uint64_t shares) {
    constexpr uint64_t min_shares = 2;
    constexpr uint64_t max_shares = 262144;
    if (shares == 0)
        return 0;
    if (shares <= min_shares)
        return 1;
    if (shares >= max_shares)
        return 10000;
    double l = std::log2(static_cast<double>(shares));
    double exponent = (l * l + 125 * l) / 612.0 - 7.0 / 34.0;
    return static_cast<uint64_t>(std::ceil(std::pow(10, exponent)));
}

// ConvertBlkIOToIOWeightValue.
uint64_t io_weight(uint64_t weight) {
    return weight < min_block_weight ? 0 : 1 + (weight - min_block_weight) * 9999 / 990;
}

bool allows_all_devices(const Value& rules) {
    bool all = false;
    for (const Value& element : rules.elements()) {
        Rule rule = read_rule(element);
        // A rule of type a sets everything, whatever its numbers say (runc's devices emulator).
        if (rule.type == 'a')
            all = rule.allow;
        else if (!rule.allow)
            all = false;
    }
    return all;
}

void read_resources(const Value& resources, protocol::Resources::Builder built) {
    // runc's order (fs2.go, Set).
    Files files;
    read_pids(resources["pids"], files);
    read_memory(resources["memory"], files);
    read_block_io(resources["blockIO"], files);
    read_cpu(resources["cpu"], files);
    read_hugepage_limits(resources["hugepageLimits"], files);
    read_unified(resources["unified"], files);
    auto list = built.initFiles(static_cast<unsigned>(files.size()));
    for (unsigned i = 0; i < files.size(); ++i) {
        list[i].setName(files[i].name.c_str());
        list[i].setValue(files[i].value.c_str());
        list[i].setOptional(files[i].optional);
    }
    read_demand(files, built.initDemand());
    read_device_rules(resources["devices"], built);
}

} // namespace runvm::oci
