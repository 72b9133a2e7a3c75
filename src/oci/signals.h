#pragma once
// Signals by name, as `kill` takes them.

#include "core/result.h"

#include <string>
#include <string_view>

namespace runvm::oci {

/// "KILL", "sigkill", "9"; case does not matter. An unknown one is `unknown signal "X"`, runc's words. Signal
/// 0 only asks whether the process is there.
Result<int> parse_signal(std::string_view text);

} // namespace runvm::oci
