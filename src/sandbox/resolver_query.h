#pragma once
// One question to a resolver.

#include "core/result.h"
#include "os/fd.h"

#include <kj/async-unix.h>

#include <string>

namespace runvm::sandbox {

/// Sends the message through a socket of network::connect_to_resolver and waits for the answer, for a
/// limited time.
kj::Promise<Result<std::string>> query_resolver(kj::UnixEventPort& event_port, os::Fd socket,
                                                std::string message, bool over_tcp);

} // namespace runvm::sandbox
