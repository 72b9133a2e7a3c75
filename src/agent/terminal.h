#pragma once
// The terminal of a process: a pair from the container's own devpts, so that the name that tty(1) prints
// exists.

#include "agent/rootfs.h"
#include "core/result.h"
#include "os/fd.h"

#include <cstdint>

namespace runvm::agent {

struct Terminal {
    os::Fd master;
    os::Fd slave;
};

/// Opens a pair through /dev/ptmx below `root` (a descriptor of the container's root folder), which may be
/// hostile: anything but the multiplexer is refused. Height and width in characters; both 0: the kernel's
/// default.
Result<Terminal> open_terminal(int root, uint16_t height, uint16_t width);

/// Binds the slave to /dev/console.
Result<void> bind_console(const Rootfs& rootfs, int slave);

/// Makes the slave the controlling terminal of this process, which leads its session.
Result<void> take_terminal(int slave);

/// TIOCSWINSZ.
Result<void> resize_terminal(int master, uint16_t height, uint16_t width);

} // namespace runvm::agent
