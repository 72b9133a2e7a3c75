#pragma once
// Times as they are written.

#include <cstdint>
#include <string>

namespace runvm {

/// RFC 3339 in UTC with nanoseconds, without trailing zeros: Go's time.RFC3339Nano.
std::string format_time(int64_t ns_since_epoch);

} // namespace runvm
