#include "oci/stats.h"

#include "core/number.h"
#include "oci/go_json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string_view>

namespace runvm::oci {

namespace {

using Json = nlohmann::ordered_json;
using Files = std::map<std::string, std::string>;

constexpr uint64_t ns_per_us = 1000;
constexpr const char* huge_page_sizes[] = {"2MB", "1GB"}; // of x86-64

std::optional<uint64_t> number(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
        text.remove_suffix(1);
    if (text == "max")
        return UINT64_MAX;
    return whole_number<uint64_t>(text);
}

uint64_t number_in(const Files& files, const std::string& name) {
    auto file = files.find(name);
    return file == files.end() ? 0 : number(file->second).value_or(0);
}

bool is_there(const Files& files, const std::string& name) {
    auto file = files.find(name);
    return file != files.end() && !file->second.empty();
}

bool is_key(std::string_view key) {
    return !key.empty() &&
           key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

// Lines of "key value".
std::map<std::string, uint64_t> keyed_numbers(const Files& files, const std::string& name) {
    std::map<std::string, uint64_t> numbers;
    auto file = files.find(name);
    std::istringstream lines(file == files.end() ? "" : file->second);
    for (std::string line; std::getline(lines, line);) {
        size_t space = line.find(' ');
        if (space == std::string::npos || !is_key(line.substr(0, space)))
            continue;
        if (auto value = number(std::string_view(line).substr(space + 1)))
            numbers[line.substr(0, space)] = *value;
    }
    return numbers;
}

// Go's omitempty: what is 0 is not said.
void set_unless_zero(Json& object, const char* key, uint64_t value) {
    if (value != 0)
        object[key] = value;
}

// "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", and "full".
Json pressure(const std::string& text) {
    Json json = {{"some", {{"avg10", 0}, {"avg60", 0}, {"avg300", 0}, {"total", 0}}}};
    json["full"] = json["some"];
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string kind;
        words >> kind;
        if (kind != "some" && kind != "full")
            continue;
        for (std::string word; words >> word;) {
            size_t equals = word.find('=');
            if (equals == std::string::npos || !json[kind].contains(word.substr(0, equals)))
                continue;
            std::string key = word.substr(0, equals);
            std::string value = word.substr(equals + 1);
            double share = 0;
            auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), share);
            if (key == "total")
                json[kind][key] = number(value).value_or(0);
            else if (error == std::errc() && end == value.data() + value.size() && share >= 0 && share <= 100)
                json[kind][key] = share;
        }
    }
    return json;
}

void set_pressure(Json& object, const Files& files, const char* file) {
    if (is_there(files, file))
        object["psi"] = pressure(files.at(file));
}

Json cpu(const Files& files) {
    auto stat = keyed_numbers(files, "cpu.stat");
    Json usage = Json::object();
    set_unless_zero(usage, "total", stat["usage_usec"] * ns_per_us);
    usage["kernel"] = stat["system_usec"] * ns_per_us;
    usage["user"] = stat["user_usec"] * ns_per_us;
    Json throttling = Json::object();
    set_unless_zero(throttling, "periods", stat["nr_periods"]);
    set_unless_zero(throttling, "throttledPeriods", stat["nr_throttled"]);
    set_unless_zero(throttling, "throttledTime", stat["throttled_usec"] * ns_per_us);
    Json json = {{"usage", usage}, {"throttling", throttling}};
    set_pressure(json, files, "cpu.pressure");
    return json;
}

// runc has figures for cgroup v1 only.
Json cpuset() {
    Json json;
    for (const char* key :
         {"cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page",
          "memory_spread_slab", "memory_pressure", "sched_load_balance", "sched_relax_domain_level"})
        json[key] = 0;
    return json;
}

Json memory_entry(uint64_t limit, uint64_t usage, uint64_t max) {
    Json json = {{"limit", limit}};
    set_unless_zero(json, "usage", usage);
    set_unless_zero(json, "max", max);
    json["failcnt"] = 0;
    return json;
}

Json memory(const Files& files) {
    auto raw = keyed_numbers(files, "memory.stat");
    uint64_t limit = number_in(files, "memory.max");
    uint64_t usage = number_in(files, "memory.current");
    // As in cgroup v1: memory and swap together (fs2/memory.go, statMemory).
    uint64_t swap_limit = number_in(files, "memory.swap.max");
    if (swap_limit != UINT64_MAX)
        swap_limit = limit > UINT64_MAX - swap_limit ? UINT64_MAX : swap_limit + limit;
    Json json = Json::object();
    if (auto cache = raw.find("file"); cache != raw.end())
        set_unless_zero(json, "cache", cache->second);
    json["usage"] = memory_entry(limit, usage, number_in(files, "memory.peak"));
    json["swap"] = memory_entry(swap_limit, number_in(files, "memory.swap.current") + usage, 0);
    json["kernel"] = memory_entry(0, 0, 0);
    json["kernelTCP"] = memory_entry(0, 0, 0);
    if (!raw.empty())
        json["raw"] = raw;
    set_pressure(json, files, "memory.pressure");
    return json;
}

Json pids(const Files& files) {
    uint64_t limit = number_in(files, "pids.max");
    Json json = Json::object();
    set_unless_zero(json, "current", number_in(files, "pids.current"));
    set_unless_zero(json, "limit", limit == UINT64_MAX ? 0 : limit); // as in runc
    return json;
}

struct DeviceNumbers {
    uint64_t major;
    uint64_t minor;
};

void add_io_entry(Json& list, DeviceNumbers device, const char* operation, uint64_t value) {
    Json entry = Json::object();
    set_unless_zero(entry, "major", device.major);
    set_unless_zero(entry, "minor", device.minor);
    entry["op"] = operation;
    set_unless_zero(entry, "value", value);
    list.push_back(entry);
}

// Lines of "8:0 rbytes=1 wbytes=2 rios=3 wios=4 ...".
Json io(const Files& files) {
    Json bytes;
    Json operations;
    auto file = files.find("io.stat");
    std::istringstream lines(file == files.end() ? "" : file->second);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string name;
        words >> name;
        size_t colon = std::min(name.find(':'), name.size());
        auto major = number(std::string_view(name).substr(0, colon));
        auto minor = number(std::string_view(name).substr(std::min(colon + 1, name.size())));
        if (!major || !minor)
            continue;
        for (std::string word; words >> word;) {
            size_t equals = std::min(word.find('='), word.size() - 1);
            auto value = number(std::string_view(word).substr(equals + 1));
            std::string key = word.substr(0, equals);
            bool is_read = key == "rbytes" || key == "rios";
            if (!value || (!is_read && key != "wbytes" && key != "wios"))
                continue;
            add_io_entry(key.ends_with("bytes") ? bytes : operations, {*major, *minor},
                         is_read ? "Read" : "Write", *value);
        }
    }
    Json json = Json::object();
    if (!bytes.is_null())
        json["ioServiceBytesRecursive"] = bytes;
    if (!operations.is_null())
        json["ioServicedRecursive"] = operations;
    set_pressure(json, files, "io.pressure");
    return json;
}

Json hugetlb(const Files& files) {
    Json json = Json::object();
    for (const std::string size : huge_page_sizes) {
        std::string current = "hugetlb." + size + ".rsvd.current";
        if (!is_there(files, current))
            continue;
        json[size] = Json::object();
        set_unless_zero(json[size], "usage", number_in(files, current));
        json[size]["failcnt"] = keyed_numbers(files, "hugetlb." + size + ".events")["max"];
    }
    return json;
}

} // namespace

const std::vector<std::string>& stats_files() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> list = {"cpu.stat",
                                         "cpu.pressure",
                                         "memory.stat",
                                         "memory.current",
                                         "memory.max",
                                         "memory.peak",
                                         "memory.swap.current",
                                         "memory.swap.max",
                                         "memory.pressure",
                                         "pids.current",
                                         "pids.max",
                                         "io.stat",
                                         "io.pressure"};
        for (const std::string size : huge_page_sizes) {
            list.push_back("hugetlb." + size + ".rsvd.current");
            list.push_back("hugetlb." + size + ".events");
        }
        return list;
    }();
    return names;
}

std::string stats_event(const std::string& id, const Files& files) {
    Json data = {{"cpu", cpu(files)},           {"cpuset", cpuset()},           {"memory", memory(files)},
                 {"pids", pids(files)},         {"blkio", io(files)},           {"hugetlb", hugetlb(files)},
                 {"intel_rdt", Json::object()}, {"network_interfaces", nullptr}};
    return go_json({{"type", "stats"}, {"id", id}, {"data", data}}, 0) + "\n";
}

std::string oom_event(const std::string& id) {
    return go_json({{"type", "oom"}, {"id", id}}, 0) + "\n";
}

} // namespace runvm::oci
