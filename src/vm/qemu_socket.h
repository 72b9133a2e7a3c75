#pragma once
// The sockets that QEMU connects to, or that are passed to virtiofsd for it: we listen, QEMU's uid may
// connect.

#include "core/result.h"
#include "os/fd.h"

#include <sys/types.h>

#include <string>

namespace runvm::vm {

/// A listening SOCK_STREAM unix socket at `path` (at most 107 bytes, not there yet) that only `uid` and root
/// can connect to. Blocking, close-on-exec.
Result<os::Fd> listen_for_qemu(const std::string& path, uid_t uid, gid_t gid);

} // namespace runvm::vm
