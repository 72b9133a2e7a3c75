#include "oci/cgroup.h"

#include <algorithm>
#include <filesystem>

namespace runvm::oci {

namespace {

constexpr const char* default_slice = "system.slice"; // where systemd puts a scope that names none

/// Without "." and "..": a container's cgroup is never above the hierarchy's root, nor its caller's own.
std::string clean_path(const std::string& path) {
    std::string rooted = std::filesystem::path("/" + path).lexically_normal();
    while (rooted.size() > 1 && rooted.ends_with('/'))
        rooted.pop_back();
    return path.starts_with('/') ? rooted : rooted.substr(1);
}

} // namespace

Result<HostCgroup> parse_cgroups_path(const std::string& text, const std::string& id, bool systemd) {
    HostCgroup cgroup;
    if (!systemd) {
        cgroup.path = text.empty() ? id : clean_path(text);
        return cgroup;
    }
    if (text.empty()) {
        cgroup.slice = default_slice;
        cgroup.scope_prefix = "runvm";
        cgroup.name = id;
        return cgroup;
    }
    if (std::count(text.begin(), text.end(), ':') != 2)
        return Error(ErrorKind::invalid_argument,
                     "linux.cgroupsPath: expected cgroupsPath to be of format \"slice:prefix:name\" for "
                     "systemd cgroups, got \"" +
                         text + "\" instead");
    size_t first = text.find(':');
    size_t second = text.find(':', first + 1);
    cgroup.slice = text.substr(0, first);
    cgroup.scope_prefix = text.substr(first + 1, second - first - 1);
    cgroup.name = text.substr(second + 1);
    if (cgroup.slice.empty())
        cgroup.slice = default_slice;
    return cgroup;
}

// runc's getUnitName (cgroups/systemd/common.go).
std::string unit_name(const HostCgroup& cgroup) {
    if (cgroup.name.ends_with(".slice"))
        return cgroup.name;
    return (cgroup.scope_prefix.empty() ? cgroup.name : cgroup.scope_prefix + "-" + cgroup.name) + ".scope";
}

std::string to_string(const HostCgroup& cgroup) {
    if (cgroup.slice.empty())
        return cgroup.path;
    return unit_name(cgroup) + " in " + cgroup.slice;
}

} // namespace runvm::oci
