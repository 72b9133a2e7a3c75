#pragma once
// linux.cgroupsPath: where on the host the sandbox's processes go (cgroup/place.h, cgroup/systemd).

#include "core/result.h"

#include <string>

namespace runvm::oci {

/// The host's cgroup of a container (config-linux.md, "Cgroups Path").
struct HostCgroup {
    std::string path; ///< cgroupfs: from the root of the hierarchy, or, relative, from runvm's own cgroup
    // With systemd, instead: the scope <prefix>-<name>.scope below the slice; as runc, whose scopes' prefix
    // may be empty.
    std::string slice;
    std::string scope_prefix;
    std::string name;
};

/// Reads the field as runc does (libcontainer/specconv, CreateCgroupConfig): with `systemd` as
/// "slice:prefix:name". invalid_argument, in runc's words, for another shape then. Empty: the cgroup that
/// runc would choose for the container `id`.
Result<HostCgroup> parse_cgroups_path(const std::string& text, const std::string& id, bool systemd);

/// With systemd: "<prefix>-<name>.scope", or the name itself where that is a slice's.
std::string unit_name(const HostCgroup& cgroup);

/// For the log: the path, or "<prefix>-<name>.scope in <slice>".
std::string to_string(const HostCgroup& cgroup);

} // namespace runvm::oci
