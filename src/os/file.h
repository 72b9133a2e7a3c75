#pragma once
// Whole files and folders.

#include "core/result.h"
#include "os/fd.h"

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace runvm::os {

/// open(2) with O_CLOEXEC added; the error names the path.
Result<Fd> open_file(const std::string& path, int flags, mode_t mode = 0);

/// The contents of a file of at most `max_bytes`; a larger one is an error (kind invalid_argument).
Result<std::string> read_file(const std::string& path, uint64_t max_bytes = 16U << 20U);
Result<std::string> read_fd(int fd, const std::string& name, uint64_t max_bytes = 16U << 20U);

/// Writes all of `data`, going on after short writes and EINTR.
Result<void> write_all(int fd, std::string_view data, const std::string& name);

/// Writes into a file that is there, as it is: those of /proc, /sys and the like.
Result<void> write_into(const std::string& path, std::string_view data);

/// Replaces a file in one step: temporary file beside it, fsync if `durable`, rename. A reader sees the old
/// contents or the new, never a part; on an error (a full disk) the old file is untouched and no temporary is
/// left.
Result<void> write_file_atomically(const std::string& path, std::string_view data, mode_t mode, bool durable);

/// mkdir -p; the folders it makes get `mode`, less the umask.
Result<void> make_folders(const std::string& path, mode_t mode);

/// rm -rf that does not go into mounts (an error with EBUSY: bind mounts too, and `path` itself) and follows
/// no link. A missing path is success; several at once on one tree do not disturb each other.
Result<void> remove_tree(const std::string& path);

/// A regular file that this process may execute.
bool is_executable_file(const std::string& path);

/// realpath(3).
Result<std::string> real_path(const std::string& path);

} // namespace runvm::os
