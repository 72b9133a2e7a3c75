#pragma once
// The shim: the host pid that a caller sees for a container's process. It carries its stdio, forwards its
// signals, and ends as the process ended.

#include "shim/options.h"

namespace runvm::shim {

/// Ends this process, by a signal if the container's process ended so; returns only for an error before that.
int run_shim(const RunOptions& options);

} // namespace runvm::shim
