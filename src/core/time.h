#pragma once
// The time of day, and how it is written.

#include <cstdint>
#include <string>

namespace runvm {

/// CLOCK_REALTIME, in ns since the epoch.
int64_t now_ns();

/// RFC 3339 in UTC with nanoseconds, without trailing zeros: Go's time.RFC3339Nano.
std::string format_time(int64_t ns_since_epoch);

} // namespace runvm
