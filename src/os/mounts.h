#pragma once
// The new mount API, as far as the CLI needs it.

#include "core/result.h"
#include "os/fd.h"

#include <string>

namespace runvm::os {

/// open_tree(2) with OPEN_TREE_CLONE: a detached copy of the mount at `path` (a folder or a file), with those
/// below it if `recursive`.
Result<Fd> clone_tree(const std::string& path, bool recursive);

} // namespace runvm::os
