#pragma once

#include "state/store.h"

#include <string>
#include <vector>

namespace runvm::state {

struct Moved {
    size_t containers = 0;
    std::vector<Error> failures; ///< of those that stay where they are, with their ids
};

/// Every container of `from` becomes one of `to`. Each is in one of them, or for a moment in both, at any
/// time: after a crash it can be called again. One that is in use for longer than `limit_ms`, that cannot be
/// read, or whose id `to` has for another container, stays.
Result<Moved> move_all(Store& from, Store& to, int limit_ms = default_lock_timeout_ms);

} // namespace runvm::state
