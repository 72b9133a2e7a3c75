#pragma once
// Time namespaces (time_namespaces(7)). Their offsets can be written only while no process is in them, so one
// cannot be made by clone3(2) as the others are.

#include "core/result.h"

#include <cstdint>
#include <string>

namespace runvm::agent {

/// Makes a time namespace for this process's children; this process stays in its own. The clocks of the
/// children are ahead of its own by these offsets, which may be negative: an error if a clock would be too.
Result<void> make_time_namespace_for_children(int64_t monotonic_ns, int64_t boottime_ns);

/// What /proc/PID/timens_offsets is given for one clock: whole seconds, rounded down, and the rest.
std::string time_offset_line(const char* clock, int64_t offset_ns);

} // namespace runvm::agent
