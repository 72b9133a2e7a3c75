#pragma once
// Unix stream sockets by path, also by paths longer than the 107 bytes of sockaddr_un, and descriptors over
// them.

#include "core/result.h"
#include "os/fd.h"

#include <string>

namespace runvm::os {

/// A listening socket that only its owner may connect to (mode 0600); a file that is there is an error.
Result<Fd> listen_unix(const std::string& path);

/// A connected socket; blocking. Does not wait for anybody to accept, but for a place in the listener's
/// queue: kind timeout if there is none after `timeout_ms`.
Result<Fd> connect_unix(const std::string& path, int timeout_ms = 5'000);

/// One message with one descriptor (SCM_RIGHTS) and `text`, which is not empty.
Result<void> send_fd(int socket, int fd, const std::string& text);

} // namespace runvm::os
