#pragma once
// Pid 1 of the container's namespaces on the host. It makes them container-shaped (callers reach in through
// the shim's pid: /proc/<pid>/root, ns/net, ...), and leaves when the last shim has left.

#include "shim/options.h"

namespace runvm::shim {

/// Does not return before the end; the exit code for main.
int run_init(const InitOptions& options);

} // namespace runvm::shim
