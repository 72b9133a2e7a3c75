#pragma once
// What the stores have in common: a container's lock is flock(2) of a file or folder that is there as long as
// the container is, and goes with the process; the same errors; the record of an id that is taken.

#include "core/result.h"
#include "state/container.h"

#include <string>

namespace runvm::state {

Error not_found();
Error already_exists();
Error with_container(Error error, const std::string& id);

enum class Locked { yes, no };
/// flock(2) of `fd`, which is `path`, if nobody has it.
Result<Locked> try_lock(int fd, const std::string& path);
/// The same, waiting: timeout after `limit_ms`. `whose`: what the lock is of, for errors.
Result<void> wait_for_lock(int fd, const std::string& path, const std::string& whose, int limit_ms);
/// True if `path` still names what `fd` holds open: else the container was deleted while this waited.
bool is_still_at(int fd, const std::string& path);

/// `creating`, by this process.
Container reserved_container(const std::string& id);

} // namespace runvm::state
