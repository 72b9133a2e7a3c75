#include "state_json.h"

#include <nlohmann/json.hpp>
#include <pwd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace runvm::commands {

namespace {

using Json = nlohmann::ordered_json;

std::string rfc3339(int64_t time_ns) {
    const std::time_t seconds = time_ns / 1'000'000'000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 32> date{};
    std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "%s.%09dZ", date.data(), static_cast<int>(time_ns % 1'000'000'000));
    return text.data();
}

std::string owner_name(uid_t uid) {
    const passwd* entry = getpwuid(uid);
    return entry == nullptr ? "#" + std::to_string(uid) : entry->pw_name;
}

pid_t visible_pid(const state::Container& container, state::Status status) {
    return status == state::Status::stopped ? 0 : container.shim.pid;
}

Json object(const state::Container& container, const std::string& owner) {
    const state::Status status = state::effective_status(container);
    Json json = {{"ociVersion", container.oci_version},
                 {"id", container.id},
                 {"pid", visible_pid(container, status)},
                 {"status", state::to_string(status)},
                 {"bundle", container.bundle},
                 {"rootfs", container.rootfs},
                 {"created", rfc3339(container.created_ns)}};
    if (!container.annotations.empty()) json["annotations"] = container.annotations;
    json["owner"] = owner;
    return json;
}

/// Paths may hold bytes that are not UTF-8.
std::string dump(const Json& json, int indent) {
    return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace

std::string state_json(const state::Container& container) {
    // runc leaves the owner out of `state`.
    return dump(object(container, ""), 2);
}

std::string list_json(const std::vector<state::Container>& containers) {
    Json array = Json::array();
    for (const state::Container& container : containers)
        array.push_back(object(container, owner_name(container.owner)));
    return dump(array, -1);
}

std::string list_table(const std::vector<state::Container>& containers) {
    constexpr size_t columns = 6;
    std::vector<std::array<std::string, columns>> rows = {{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
    for (const state::Container& container : containers) {
        const state::Status status = state::effective_status(container);
        rows.push_back({container.id, std::to_string(visible_pid(container, status)), state::to_string(status),
                        container.bundle, rfc3339(container.created_ns), owner_name(container.owner)});
    }
    std::array<size_t, columns> widths{};
    widths.fill(12);
    for (const auto& row : rows) {
        for (size_t i = 0; i < columns; ++i) widths.at(i) = std::max(widths.at(i), row.at(i).size() + 3);
    }
    std::string out;
    for (const auto& row : rows) {
        for (size_t i = 0; i + 1 < columns; ++i) out += row.at(i) + std::string(widths.at(i) - row.at(i).size(), ' ');
        out += row.back() + "\n";
    }
    return out;
}

} // namespace runvm::commands
