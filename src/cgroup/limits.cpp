#include "cgroup/limits.h"

#include "core/number.h"
#include "core/take_until.h"
#include "os/file.h"

#include <unistd.h>

#include <algorithm>
#include <bitset>
#include <limits>
#include <optional>
#include <string_view>

namespace runvm::cgroup {

namespace {

constexpr uint64_t default_period_us = 100'000; // Documentation/scheduler/sched-bwc.rst
// A machine with less than a fifth of a cpu does not answer in time; the guest's own quota holds all the
// same.
constexpr uint64_t smallest_share_of_period = 5;
// What a machine that is being shrunk keeps above what it uses at that moment.
constexpr uint64_t tighten_margin_bytes = 64U << 20U;
constexpr size_t max_number = 8192; // CONFIG_NR_CPUS of the largest kernels for x86-64
constexpr uint64_t unlimited = std::numeric_limits<uint64_t>::max();

using Numbers = std::bitset<max_number>;

std::optional<Numbers> parse_numbers(std::string_view list) {
    Numbers numbers;
    while (!list.empty()) {
        std::string_view range = take_until(list, ',');
        size_t dash = range.find('-');
        auto first = whole_number<size_t>(range.substr(0, dash));
        auto last = dash == std::string_view::npos ? first : whole_number<size_t>(range.substr(dash + 1));
        if (!first || !last || *last >= max_number || *first > *last)
            return std::nullopt;
        for (size_t number = *first; number <= *last; ++number)
            numbers.set(number);
    }
    return numbers;
}

std::string first_line(const std::string& path) {
    auto text = os::read_file(path);
    return text ? text->substr(0, text->find('\n')) : "";
}

/// Collects settings of one place.
class Settings {
public:
    explicit Settings(const Place& place) : place_(place), v2_(place.is_unified()) {}

    bool v2() const { return v2_; }
    void add(const char* controller, const std::string& file, const std::string& value,
             bool optional = false) {
        std::string folder = place_.folder_of(controller);
        if (!folder.empty())
            list_.push_back({folder + "/" + file, value, optional});
    }
    bool has(const char* controller, const std::string& file) const {
        std::string folder = place_.folder_of(controller);
        return !folder.empty() && ::access((folder + "/" + file).c_str(), F_OK) == 0;
    }
    /// What the cgroup above may use.
    std::string inherited(const std::string& file) const {
        std::string folder = place_.folder_of("cpuset");
        return first_line(folder.substr(0, folder.rfind('/')) + "/" + file);
    }
    std::vector<Setting> take() { return std::move(list_); }

private:
    const Place& place_;
    bool v2_;
    std::vector<Setting> list_;
};

std::string bytes_text(int64_t bytes, bool v2) {
    return bytes < 0 ? (v2 ? "max" : "-1") : std::to_string(bytes);
}

int64_t to_bytes(uint64_t bytes) {
    return static_cast<int64_t>(std::min<uint64_t>(bytes, std::numeric_limits<int64_t>::max()));
}

/// A limit of the container's, `bytes`, with what the machine needs on top of it; -1 stays.
int64_t with_room(int64_t bytes, const Limits& limits, const Room& room) {
    if (bytes < 0)
        return bytes;
    uint64_t total = room.machine_bytes + room.processes_bytes;
    if (limits.memory_bytes <= 0)
        return to_bytes(static_cast<uint64_t>(bytes) + room.processes_bytes);
    // Less than nothing where the machine may not grow to the limit.
    return static_cast<int64_t>(total) + (bytes - limits.memory_bytes);
}

void add_memory(const Limits& limits, const Room& room, Settings& settings) {
    bool v2 = settings.v2();
    int64_t limit = limits.memory_bytes;
    int64_t swap = limits.memory_swap_bytes;
    if (limit != 0)
        settings.add("memory", v2 ? "memory.max" : "memory.limit_in_bytes",
                     bytes_text(with_room(limit, limits, room), v2));
    // runc's rules (fs/memory.go, setMemoryAndSwap; ConvertMemorySwapToCgroupV2Value): a limit that is lifted
    // takes the swap's along. Kernels without swap accounting have none of these files.
    if (swap == -1 || (limit == -1 && swap == 0))
        settings.add("memory", v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes", v2 ? "max" : "-1",
                     true);
    else if (swap > 0 && limit > 0)
        settings.add("memory", v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes",
                     std::to_string(v2 ? swap - limit : with_room(swap, limits, room)), true);
    if (limits.reservation_bytes != 0)
        settings.add("memory", v2 ? "memory.low" : "memory.soft_limit_in_bytes",
                     bytes_text(with_room(limits.reservation_bytes, limits, room), v2));
}

void add_quota(const Limits& limits, Settings& settings) {
    int64_t quota = limits.cpu_quota_us;
    uint64_t period = limits.cpu_period_us;
    if (quota == 0 && period == 0)
        return;
    if (quota > 0) {
        uint64_t in_force = period == 0 ? default_period_us : period;
        quota = std::max(quota, to_bytes(in_force / smallest_share_of_period));
    }
    if (settings.v2()) {
        settings.add("cpu", "cpu.max",
                     (quota > 0 ? std::to_string(quota) : "max") + " " +
                         std::to_string(period == 0 ? default_period_us : period));
        return;
    }
    // A period is judged by the quota that is in force, and the other way round: so none is, for a moment.
    if (quota != 0)
        settings.add("cpu", "cpu.cfs_quota_us", "-1");
    if (period != 0)
        settings.add("cpu", "cpu.cfs_period_us", std::to_string(period));
    if (quota > 0)
        settings.add("cpu", "cpu.cfs_quota_us", std::to_string(quota));
}

// A machine may have more cpus than its host, if the configuration says so: it runs on those that there are.
void add_cpuset(const Limits& limits, Settings& settings) {
    for (const auto& [name, wanted] : {std::pair("cpus", limits.cpus), {"mems", limits.mems}}) {
        if (wanted.empty())
            continue;
        std::string file = std::string("cpuset.") + name;
        std::string usable = common_numbers(wanted, settings.inherited(file + ".effective"));
        if (usable.empty()) // v1's file of that name is younger than some kernels
            usable = common_numbers(wanted, settings.inherited("cpuset.effective_" + std::string(name)));
        if (!usable.empty())
            settings.add("cpuset", file, usable);
    }
}

std::string device_text(int64_t major, int64_t minor) {
    return std::to_string(major) + ":" + std::to_string(minor) + " ";
}

void add_rates(const std::vector<Limits::DeviceRate>& rates, const char* v1_file, const char* v2_key,
               Settings& settings) {
    for (const Limits::DeviceRate& rate : rates) {
        std::string device = device_text(rate.major, rate.minor);
        std::string value = std::to_string(rate.rate);
        if (settings.v2())
            settings.add("io", "io.max", device + v2_key + "=" + (rate.rate == 0 ? "max" : value));
        else
            settings.add("blkio", std::string("blkio.throttle.") + v1_file, device + value);
    }
}

void add_weights(const Limits& limits, Settings& settings) {
    const char* controller = settings.v2() ? "io" : "blkio";
    // The scheduler has the files: without it there are none. runc (fs/blkio.go, fs2/io.go) looks in this
    // order.
    std::string file = settings.v2() ? "io.bfq.weight" : "blkio.weight";
    if (!settings.v2() && !settings.has(controller, file))
        file = "blkio.bfq.weight";
    bool v2_cost_model = settings.v2() && !settings.has(controller, file);
    if (limits.block_weight != 0 && v2_cost_model)
        settings.add(controller, "io.weight", "default " + std::to_string(limits.block_weight_v2), true);
    else if (limits.block_weight != 0)
        settings.add(controller, file, std::to_string(limits.block_weight), true);
    for (const Limits::DeviceWeight& one : limits.device_weights)
        settings.add(controller, settings.v2() ? file : file + "_device",
                     device_text(one.major, one.minor) + std::to_string(one.weight));
}

bool is_memory_limit(const std::string& file) {
    for (const char* name : {"/memory.max", "/memory.limit_in_bytes", "/memory.memsw.limit_in_bytes"})
        if (file.ends_with(name))
            return true;
    return false;
}

/// Of a file, or for one, that is_memory_limit.
uint64_t limit_of(const std::string& text) {
    return whole_number<uint64_t>(text).value_or(unlimited); // "max", "-1"
}

std::string usage_file(const std::string& limit_file) {
    std::string folder = limit_file.substr(0, limit_file.rfind('/') + 1);
    if (limit_file.ends_with(".max"))
        return folder + "memory.current";
    return folder + (limit_file.find(".memsw.") != std::string::npos ? "memory.memsw.usage_in_bytes"
                                                                     : "memory.usage_in_bytes");
}

Result<void> write(const Setting& setting) {
    auto written = os::write_into(setting.file, setting.value);
    if (written || (setting.optional && written.error().errno_value() == ENOENT))
        return {};
    return std::move(written).context("set the limit \"" + setting.value + "\" of the host's cgroup");
}

} // namespace

std::string common_numbers(const std::string& wanted, const std::string& available) {
    auto numbers = parse_numbers(wanted);
    auto there = parse_numbers(available);
    if (!numbers || !there)
        return "";
    *numbers &= *there;
    std::string list;
    for (size_t number = 0; number < max_number; ++number)
        if (numbers->test(number))
            list += (list.empty() ? "" : ",") + std::to_string(number);
    return list;
}

std::vector<Setting> settings_of(const Limits& limits, const Room& room, const Place& place, When when) {
    Settings settings(place);
    if (when == When::when_created) {
        add_quota(limits, settings);
        return settings.take();
    }
    add_memory(limits, room, settings);
    if (limits.cpu_shares != 0)
        settings.add("cpu", settings.v2() ? "cpu.weight" : "cpu.shares",
                     std::to_string(settings.v2() ? limits.cpu_weight : limits.cpu_shares));
    add_cpuset(limits, settings);
    add_weights(limits, settings);
    add_rates(limits.read_bytes, "read_bps_device", "rbps", settings);
    add_rates(limits.write_bytes, "write_bps_device", "wbps", settings);
    add_rates(limits.read_operations, "read_iops_device", "riops", settings);
    add_rates(limits.write_operations, "write_iops_device", "wiops", settings);
    return settings.take();
}

Result<void> apply(const std::vector<Setting>& settings) {
    for (const Setting& setting : settings)
        RUNVM_TRY(write(setting));
    return {};
}

Change::Change(const Limits& limits, const Room& room, const Place& place) {
    std::vector<Setting> more_memory;
    for (Setting& setting : settings_of(limits, room, place, When::at_once)) {
        if (!is_memory_limit(setting.file))
            wider_.push_back(std::move(setting));
        else if (limit_of(setting.value) < limit_of(first_line(setting.file)))
            tighter_.push_back(std::move(setting));
        else
            more_memory.push_back(std::move(setting));
    }
    // v1's limit of memory and swap is never below that of memory alone: it goes up first, and down last.
    wider_.insert(wider_.begin(), more_memory.rbegin(), more_memory.rend());
    for (Setting& setting : settings_of(limits, room, place, When::when_created))
        wider_.push_back(std::move(setting));
}

Result<void> Change::widen() {
    for (const Setting& setting : wider_) {
        auto text = os::read_file(setting.file);
        // Files of a line a device say all of them, which cannot be written back; an update does not change
        // them (oci/update.h).
        if (text && std::count(text->begin(), text->end(), '\n') == 1)
            before_.insert(before_.begin(), {setting.file, *text, true});
        if (auto written = write(setting); !written) {
            undo();
            return written;
        }
    }
    return {};
}

void Change::tighten() const {
    for (const Setting& setting : tighter_) {
        uint64_t used = whole_number<uint64_t>(first_line(usage_file(setting.file))).value_or(0);
        uint64_t limit = std::max(limit_of(setting.value), used + tighten_margin_bytes);
        (void)write({setting.file, std::to_string(limit), true}); // the former, larger limit holds
    }
}

void Change::undo() {
    for (const Setting& setting : before_)
        (void)write(setting);
    before_.clear();
}

} // namespace runvm::cgroup
