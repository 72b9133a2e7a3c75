#pragma once
// The stream of a process that calls a monitor.

#include "os/fd.h"

#include <kj/async-io.h>

namespace runvm::channel {

/// A stream over a connected unix socket, to which writing never fails because the peer has gone. What the
/// peer wrote before is in the socket still, and reading it is what says how the call went: capnp, whose
/// every answer is followed by a message that thanks for it, would drop the answers behind the first one.
kj::Own<kj::AsyncCapabilityStream> caller_stream(kj::LowLevelAsyncIoProvider& provider, os::Fd socket);

} // namespace runvm::channel
