#pragma once
// The new mount API, as far as the CLI needs it.

#include "core/result.h"
#include "os/fd.h"

#include <string>

namespace runvm::os {

/// open_tree(2) with OPEN_TREE_CLONE: a detached copy of the mount at `path` (a folder or a file), with those
/// below it if `recursive`.
Result<Fd> clone_tree(const std::string& path, bool recursive);

/// The same of the root of another process, with what is mounted below it there. (open_tree clones mounts of
/// the caller's own mount namespace only.)
Result<Fd> clone_root_of(int pidfd);

} // namespace runvm::os
