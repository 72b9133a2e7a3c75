#pragma once
// The cgroup hierarchies of this host: cgroup v1, one for each controller or group of controllers; v2, one
// for all; or hybrid, v1 beside a v2 hierarchy that has no controllers to speak of.

#include "core/result.h"

#include <string>
#include <vector>

namespace runvm::cgroup {

struct Hierarchy {
    /// "memory", "cpu,cpuacct", "name=systemd" as /proc/self/cgroup has it; empty: the v2 hierarchy.
    std::string controllers;
    std::string mount; ///< where it is mounted
    std::string own;   ///< the folder of this process's cgroup, at or below `mount`; empty: it is not there

    bool is_v2() const { return controllers.empty(); }
};

/// Those that are mounted, v1's first; none where no cgroup file system is.
Result<std::vector<Hierarchy>> read_hierarchies();

/// The same, of the texts of /proc/self/mountinfo and /proc/self/cgroup. Exposed for the tests.
std::vector<Hierarchy> parse_hierarchies(const std::string& mountinfo, const std::string& cgroups);

/// Is it v2 that has the controllers?
bool is_unified(const std::vector<Hierarchy>& hierarchies);

/// Is `controller` one of "cpu,cpuacct"?
bool has_controller(const std::string& controllers, const std::string& controller);

} // namespace runvm::cgroup
