#pragma once
// System calls that glibc 2.36 has no wrapper for, as Results. The mount API (fsopen, open_tree, ...) is
// glibc's.

#include "core/result.h"
#include "os/fd.h"

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace runvm::agent {

/// openat2(2) of a path that is resolved as if `root` were "/": "..", absolute symlinks and magic links stay
/// inside.
Result<os::Fd> open_in_root(int root, const std::string& path, uint64_t flags);

/// openat2(2) of a relative path that may not leave `folder` and may not contain symlinks.
Result<os::Fd> open_beneath(int folder, const std::string& path, uint64_t flags);

/// setns(2).
Result<void> join_namespaces(int fd, int flags, const std::string& name);

/// pidfd_send_signal(2); process_finished if the process has ended.
Result<void> send_signal(int pidfd, int signal);

/// Closes every descriptor from 3 on but these; a negative one is none.
void close_all_but(std::vector<int> kept);

} // namespace runvm::agent
