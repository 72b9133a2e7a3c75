#pragma once
// The host's side of a container's terminal: a pty whose slave the shim holds. The guest has a terminal of
// its own, with the line discipline; the host's only carries bytes and the size.

#include "core/result.h"

#include <sys/ioctl.h>

namespace runvm::shim {

/// Makes the slave the controlling terminal of this session, so that a resize of the master arrives as
/// SIGWINCH and its close as SIGHUP, and sets it to raw.
Result<void> take_terminal(int slave_fd);

bool read_size(int fd, winsize& size);

} // namespace runvm::shim
