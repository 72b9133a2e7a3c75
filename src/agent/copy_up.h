#pragma once
// runc's mount option `tmpcopyup`: a tmpfs that starts with what the folder under it holds.

#include "core/result.h"

namespace runvm::agent {

/// Copies the folder `from` into the folder `to` (both open or O_PATH): folders, regular files and symlinks
/// with owner and mode; other kinds are left out. The source is hostile: symlinks are copied, never followed,
/// and what lies deeper than 64 folders is an error. The tmpfs's own size limits the amount.
Result<void> copy_up(int from, int to);

} // namespace runvm::agent
