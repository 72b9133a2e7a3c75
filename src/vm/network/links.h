#pragma once
// The links of a container's network namespace on the host. The guest does not have them yet: issue 4 puts a
// tap beside each of them.

#include "core/result.h"

#include <sys/types.h>

#include <string>
#include <vector>

namespace runvm::vm {

/// The names of the links in the process's network namespace, but lo and the kernel's own tunnels (proc(5),
/// /proc/PID/net/dev).
Result<std::vector<std::string>> links_of_process(pid_t pid);

/// The same from the text of /proc/PID/net/dev.
std::vector<std::string> parse_links(const std::string& net_dev);

} // namespace runvm::vm
