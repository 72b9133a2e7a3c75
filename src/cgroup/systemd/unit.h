#pragma once
// --systemd-cgroup: systemd makes the container's cgroup as a transient unit of its own, as runc has it do
// (cgroups/systemd), and removes it.

#include "cgroup/limits.h"
#include "core/result.h"

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace runvm::cgroup::systemd {

/// Is it the init of this host?
bool is_running();

/// Where a unit's cgroup is: "/a.slice/a-b.slice/UNIT" in a-b.slice. invalid_argument, in runc's words, for
/// what is no slice's name.
Result<std::string> path_of_unit(const std::string& slice, const std::string& unit);

struct Unit {
    std::string name; ///< of a scope or a slice
    std::string slice;
    std::string container; ///< for people
    bool v2 = false;       ///< has the host's cgroup v2 the controllers?
};

/// Makes the unit with its first process: without one there is no scope. Returns when it is there.
Result<void> start(const Unit& unit, pid_t first);

/// Tells systemd of limits that have been written: it writes what it knows of again at times.
Result<void> set_limits(const std::string& unit, const std::vector<Setting>& settings);

/// Ends the unit and what is in it. No error if there is none.
Result<void> stop(const std::string& unit);

using Value = std::variant<bool, uint64_t, std::string, std::vector<std::string>, std::vector<uint32_t>,
                           std::vector<uint8_t>>;
struct Property {
    std::string name;
    Value value;
};

/// What of the limits systemd has a property for. Exposed for the tests.
std::vector<Property> properties_of(const std::vector<Setting>& settings);

} // namespace runvm::cgroup::systemd
