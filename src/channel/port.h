#pragma once
// A byte stream over a descriptor that kj's own streams handle badly: a virtio-serial character device.
// Its reads return one buffer at a time although more is there (kj 0.9 takes a short read for "drained" and
// then waits for an edge that never comes), and it says end-of-file while no host is connected.

#include "os/fd.h"

#include <kj/async-io.h>
#include <kj/async-unix.h>

namespace runvm::channel {

/// Wraps a non-blocking or blocking descriptor (it is made non-blocking; it must be ours alone).
/// Works for virtio ports and for stream sockets. tryRead of 0 bytes: the peer has closed.
kj::Own<kj::AsyncIoStream> wrap_port(kj::UnixEventPort& event_port, os::Fd fd);

} // namespace runvm::channel
