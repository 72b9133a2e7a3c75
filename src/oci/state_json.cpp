#include "oci/state_json.h"

#include "core/time.h"
#include "oci/go_json.h"

#include <nlohmann/json.hpp>

#include <pwd.h>

#include <algorithm>
#include <array>
#include <memory>

namespace runvm::oci {

namespace {

using Ordered = nlohmann::ordered_json;

struct Row {
    std::string status;
    pid_t pid = 0;
};

// Status and pid belong together: a stopped container has no pid.
Row row_of(const state::Container& container) {
    state::Status status = state::effective_status(container);
    return {state::to_string(status), status == state::Status::stopped ? 0 : container.shim.pid};
}

// From /etc/passwd alone, as runc does: NSS could ask a network.
std::string user_name(uid_t uid) {
    std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/etc/passwd", "re"), std::fclose);
    if (file)
        while (const passwd* entry = ::fgetpwent(file.get()))
            if (entry->pw_uid == uid)
                return entry->pw_name;
    return "#" + std::to_string(uid);
}

Ordered to_json(const state::Container& container, const std::string& owner) {
    Row row = row_of(container);
    Ordered json;
    json["ociVersion"] = container.oci_version;
    json["id"] = container.id;
    json["pid"] = row.pid;
    json["status"] = row.status;
    json["bundle"] = container.bundle;
    json["rootfs"] = container.rootfs;
    json["created"] = format_time(container.created_ns);
    if (!container.annotations.empty())
        json["annotations"] = container.annotations;
    json["owner"] = owner;
    return json;
}

size_t characters(const std::string& text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80; // not a continuation byte of UTF-8
    }));
}

} // namespace

std::string state_json(const state::Container& container) {
    return go_json(to_json(container, ""), 2); // runc's state leaves the owner empty
}

std::string list_json(const std::vector<state::Container>& containers) {
    Ordered list = nullptr;
    for (const state::Container& container : containers)
        list.push_back(to_json(container, user_name(container.owner)));
    return go_json(list, 0) + "\n";
}

std::string list_table(const std::vector<state::Container>& containers) {
    constexpr size_t columns = 6;
    constexpr size_t min_width = 12; // Go's tabwriter, as runc sets it up
    constexpr size_t padding = 3;
    using Cells = std::array<std::string, columns>;

    std::vector<Cells> rows = {{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
    for (const state::Container& container : containers) {
        Row row = row_of(container);
        rows.push_back({container.id, std::to_string(row.pid), row.status, container.bundle,
                        format_time(container.created_ns), user_name(container.owner)});
    }
    std::array<size_t, columns> widths{};
    for (const Cells& row : rows)
        for (size_t i = 0; i < columns; ++i)
            widths[i] = std::max({widths[i], min_width, characters(row[i]) + padding});
    std::string table;
    for (const Cells& row : rows) {
        for (size_t i = 0; i + 1 < columns; ++i)
            table += row[i] + std::string(widths[i] - characters(row[i]), ' ');
        table += row.back() + "\n";
    }
    return table;
}

} // namespace runvm::oci
