#include "oci/update.h"

#include "core/number.h"
#include "oci/document.h"
#include "oci/fields.h"
#include "oci/host_limits.h"
#include "oci/resources.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <cmath>

namespace runvm::oci {

namespace {

struct FlagKey {
    const char* flag;
    const char* object;
    const char* key;
};

constexpr FlagKey naturals[] = {{"cpu-burst", "cpu", "burst"},
                                {"cpu-period", "cpu", "period"},
                                {"cpu-rt-period", "cpu", "realtimePeriod"},
                                {"cpu-share", "cpu", "shares"}};
constexpr FlagKey integers[] = {{"cpu-idle", "cpu", "idle"},
                                {"cpu-quota", "cpu", "quota"},
                                {"cpu-rt-runtime", "cpu", "realtimeRuntime"},
                                {"blkio-weight", "blockIO", "weight"},
                                {"pids-limit", "pids", "limit"}};
constexpr FlagKey texts[] = {{"cpuset-cpus", "cpu", "cpus"}, {"cpuset-mems", "cpu", "mems"}};
constexpr FlagKey sizes[] = {{"memory", "memory", "limit"},
                             {"memory-swap", "memory", "swap"},
                             {"kernel-memory", "memory", "kernel"},
                             {"kernel-memory-tcp", "memory", "kernelTCP"},
                             {"memory-reservation", "memory", "reservation"}};

Error bad_value(const char* flag, const std::string& value, const char* allowed) {
    return {ErrorKind::invalid_argument,
            std::string("invalid value for ") + flag + ": found \"" + value + "\"; " + allowed};
}

// As Go's strconv, which takes a plus sign.
template <class Integer>
std::optional<Integer> whole(std::string_view text) {
    if (text.starts_with('+'))
        text.remove_prefix(1);
    return whole_number<Integer>(text);
}

// docker/go-units' RAMInBytes: "512m", "1.5 GiB", "4096"; and -1 for no limit.
std::optional<int64_t> size_in_bytes(std::string_view text) {
    if (text == "-1")
        return -1;
    size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    double number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + digits, number);
    if (error != std::errc() || end != text.data() + digits)
        return std::nullopt;
    std::string suffix;
    for (char c : text.substr(digits + (text.substr(digits).starts_with(' ') ? 1 : 0)))
        suffix += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    constexpr std::string_view units = "bkmgtp";
    size_t unit = suffix.empty() ? 0 : units.find(suffix[0]);
    std::string rest = suffix.empty() ? "" : suffix.substr(1);
    if (unit == std::string_view::npos || (!rest.empty() && (unit == 0 || (rest != "b" && rest != "ib"))))
        return std::nullopt;
    number *= std::pow(1024, unit);
    constexpr double first_too_large = 9223372036854775808.0; // 2^63
    if (number >= first_too_large)
        return std::nullopt;
    return static_cast<int64_t>(number);
}

// null and absent are one, as for Go's decoder.
bool has(const Json& object, const char* key) {
    return object.is_object() && object.contains(key) && !object[key].is_null();
}

void take(Json& merged, const Json& update, const char* key) {
    if (has(update, key))
        merged[key] = update[key];
}

void take_or_drop(Json& merged, const Json& update, const char* key) {
    merged.erase(key);
    take(merged, update, key);
}

Json object_of(const Json& parent, const char* key) {
    return has(parent, key) && parent[key].is_object() ? parent[key] : Json::object();
}

Json merged_memory(const Json& old, Json update) {
    Json merged = object_of(old, "memory");
    // "To avoid error `unable to set swap limit without memory limit`": an old one goes.
    if (has(update, "limit") && update["limit"] == -1 && !has(update, "swap"))
        update["swap"] = 0;
    for (const char* key : {"limit", "swap", "reservation", "kernel", "kernelTCP"})
        take(merged, update, key);
    return merged;
}

bool is_set(const Json& object, const char* key) {
    return has(object, key) && object[key] != 0;
}

Json merged_cpu(const Json& old, const Json& update) {
    Json merged = object_of(old, "cpu");
    // Of quota and period one may be given: the other stays as it was. Both, or neither, replace both.
    bool period = is_set(update, "period");
    bool quota = is_set(update, "quota");
    if (period == quota) {
        take_or_drop(merged, update, "period");
        take_or_drop(merged, update, "quota");
    } else {
        take(merged, update, period ? "period" : "quota");
    }
    for (const char* key : {"shares", "realtimePeriod", "realtimeRuntime"})
        take(merged, update, key);
    for (const char* key : {"burst", "cpus", "mems", "idle"})
        take_or_drop(merged, update, key);
    // The kernel takes no weight beside idle.
    if (has(update, "idle") && !has(update, "shares"))
        merged["shares"] = 0U;
    return merged;
}

Json merge(const Json& old, const Json& update) {
    Json merged = old;
    merged["memory"] = merged_memory(old, object_of(update, "memory"));
    merged["cpu"] = merged_cpu(old, object_of(update, "cpu"));
    merged["blockIO"] = object_of(old, "blockIO");
    take(merged["blockIO"], object_of(update, "blockIO"), "weight");
    merged["pids"] = Json::object();
    take_or_drop(merged["pids"], object_of(update, "pids"), "limit");
    if (merged["pids"].contains("limit") && merged["pids"]["limit"] == 0)
        merged["pids"].erase("limit"); // says nothing
    take_or_drop(merged, update, "unified");
    return merged;
}

// Mistakes below "memory" and the like of the update, which must be an object each.
void check_shape(const Value& update) {
    if (!update.json()->is_object())
        update.fail_found("an object is expected");
    for (const char* key : {"memory", "cpu", "blockIO", "pids", "unified"})
        (void)update[key].members();
}

void read_merged(const Value& merged, protocol::Resources::Builder resources) {
    read_resources(merged, resources);
    resources.initDeviceRules(0); // of a container that runs they stay, as in runc
}

} // namespace

Result<std::string> resources_of_flags(const UpdateFlag& flag) {
    Json json = Json::object();
    for (const FlagKey& one : naturals)
        if (auto value = flag(one.flag)) {
            auto number = whole<uint64_t>(*value);
            if (!number)
                return bad_value(one.flag, *value, "a whole number of 0 or more is expected");
            json[one.object][one.key] = *number;
        }
    for (const FlagKey& one : integers)
        if (auto value = flag(one.flag)) {
            auto number = whole<int64_t>(*value);
            if (!number)
                return bad_value(one.flag, *value, "a whole number is expected");
            json[one.object][one.key] = *number;
        }
    for (const FlagKey& one : texts)
        if (auto value = flag(one.flag))
            json[one.object][one.key] = *value;
    for (const FlagKey& one : sizes)
        if (auto value = flag(one.flag)) {
            auto bytes = size_in_bytes(*value);
            if (!bytes)
                return bad_value(one.flag, *value,
                                 "bytes, or a number with k, m, g, t or p, or -1 is expected");
            json[one.object][one.key] = *bytes;
        }
    return json.dump();
}

Result<Update> plan_update(const std::string& container_config, const std::string& text,
                           const std::string& name, protocol::Resources::Builder resources) {
    RUNVM_ASSIGN(Json config, parse_json(container_config, "the container's saved config.json"));
    RUNVM_ASSIGN(Json json, parse_json(text, name));
    Update update;
    Document document(name, update.notes);
    Value root(document, &json, "");
    check_shape(root);
    check_fields(root, "linux.resources");
    if (document.failed())
        return document.take_error();
    Json merged = merge(object_of(object_of(config, "linux"), "resources"), json);
    Value merged_value(document, &merged, "");
    read_merged(merged_value, resources);
    update.host_limits = read_host_limits(merged_value);
    if (document.failed())
        return document.take_error();
    config["linux"]["resources"] = std::move(merged);
    update.config = config.dump();
    return update;
}

} // namespace runvm::oci
