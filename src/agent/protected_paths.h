#pragma once
// What a container may see but not change, or not see at all: sysctls set for it, readonlyPaths, maskedPaths.
// Done before pivot_root, while the agent's own trusted /proc and /dev are at hand.

#include "agent/rootfs.h"
#include "core/result.h"
#include "protocol/common.capnp.h"

#include <string>

namespace runvm::agent {

/// Writes "net.core.somaxconn" through the agent's own /proc; the file belongs to the namespaces of the
/// writer.
Result<void> set_sysctl(const std::string& key, const std::string& value);

/// Binds the path over itself, read-only with the flags it has. A missing path is success, as in runc.
Result<void> make_readonly(const Rootfs& rootfs, const std::string& path);

/// Covers a file with /dev/null and a folder with an empty read-only tmpfs. A missing path is success.
Result<void> mask(const Rootfs& rootfs, const std::string& path);

} // namespace runvm::agent
