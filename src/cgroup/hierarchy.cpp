#include "cgroup/hierarchy.h"

#include "core/take_until.h"
#include "os/file.h"

#include <algorithm>
#include <optional>
#include <string_view>

namespace runvm::cgroup {

namespace {

/// One line of /proc/self/mountinfo (proc(5)), as far as it is of use here.
struct Mount {
    std::string root; ///< what of the file system is mounted
    std::string point;
    std::string type;
    std::string super_options;
};

/// The kernel writes space, tab, newline and backslash as three octal digits.
std::string unescape(std::string_view text) {
    auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
    std::string plain;
    for (size_t i = 0; i < text.size(); ++i) {
        bool escaped = text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) &&
                       is_octal(text[i + 2]) && is_octal(text[i + 3]);
        if (!escaped) {
            plain += text[i];
            continue;
        }
        plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
        i += 3;
    }
    return plain;
}

std::optional<Mount> parse_mount(std::string_view line) {
    size_t separator = line.find(" - ");
    if (separator == std::string_view::npos)
        return std::nullopt;
    std::string_view before = line.substr(0, separator);
    std::string_view after = line.substr(separator + 3);
    for (int skipped = 0; skipped < 3; ++skipped) // mount id, parent id, device
        take_until(before, ' ');
    Mount mount;
    mount.root = unescape(take_until(before, ' '));
    mount.point = unescape(take_until(before, ' '));
    mount.type = take_until(after, ' ');
    take_until(after, ' '); // source
    mount.super_options = take_until(after, ' ');
    return mount;
}

/// "memory" of "rw,memory"; a v2 mount is of no controllers.
bool is_mount_of(const Mount& mount, const std::string& controllers) {
    if (controllers.empty())
        return mount.type == "cgroup2";
    if (mount.type != "cgroup")
        return false;
    std::string_view rest = controllers;
    while (!rest.empty())
        if (!has_controller(mount.super_options, std::string(take_until(rest, ','))))
            return false;
    return true;
}

/// Where the cgroup `path` of the whole hierarchy is below a mount of its part `root`: empty if it is not.
std::string folder_of(const Mount& mount, const std::string& path) {
    if (mount.root == "/")
        return path == "/" ? mount.point : mount.point + path;
    if (path == mount.root)
        return mount.point;
    return path.starts_with(mount.root + "/") ? mount.point + path.substr(mount.root.size()) : "";
}

} // namespace

bool has_controller(const std::string& controllers, const std::string& controller) {
    std::string_view rest = controllers;
    while (!rest.empty())
        if (take_until(rest, ',') == controller)
            return true;
    return false;
}

bool is_unified(const std::vector<Hierarchy>& hierarchies) {
    bool v2 = false;
    for (const Hierarchy& hierarchy : hierarchies) {
        if (hierarchy.is_v2())
            v2 = true;
        else if (!hierarchy.controllers.starts_with("name="))
            return false;
    }
    return v2;
}

std::vector<Hierarchy> parse_hierarchies(const std::string& mountinfo, const std::string& cgroups) {
    std::vector<Mount> mounts;
    for (std::string_view rest = mountinfo; !rest.empty();)
        if (auto mount = parse_mount(take_until(rest, '\n')); mount && mount->type.starts_with("cgroup"))
            mounts.push_back(*std::move(mount));
    std::vector<Hierarchy> found;
    for (std::string_view rest = cgroups; !rest.empty();) {
        // "4:memory:/a/b"
        std::string_view line = take_until(rest, '\n');
        take_until(line, ':');
        Hierarchy hierarchy;
        hierarchy.controllers = take_until(line, ':');
        // The first one: another is a bind mount for somebody else.
        auto mount = std::find_if(mounts.begin(), mounts.end(), [&](const Mount& candidate) {
            return is_mount_of(candidate, hierarchy.controllers);
        });
        if (mount == mounts.end())
            continue;
        hierarchy.mount = mount->point;
        hierarchy.own = folder_of(*mount, std::string(line));
        found.push_back(std::move(hierarchy));
    }
    std::stable_partition(found.begin(), found.end(), [](const Hierarchy& one) { return !one.is_v2(); });
    return found;
}

Result<std::vector<Hierarchy>> read_hierarchies() {
    RUNVM_ASSIGN(std::string mountinfo, os::read_file("/proc/self/mountinfo"));
    RUNVM_ASSIGN(std::string cgroups, os::read_file("/proc/self/cgroup"));
    return parse_hierarchies(mountinfo, cgroups);
}

} // namespace runvm::cgroup
