#pragma once
// The sandbox behind the protocol: one SandboxService a connection, so that the loss of a connection is known
// to be the loss of that caller.

#include "protocol/sandbox.capnp.h"
#include "sandbox/sandbox.h"

#include <kj/async-io.h>

namespace runvm::sandbox {

/// Serves connections until the process ends.
class Server final : private kj::TaskSet::ErrorHandler {
public:
    Server(Sandbox& sandbox, kj::LowLevelAsyncIoProvider& io);
    ~Server();

    /// The connection of the monitor's starter: unless it has committed a container, its loss ends the
    /// sandbox.
    void serve_creator(os::Fd socket);
    /// Accepts on a listening unix socket from now on.
    void listen(os::Fd socket);

private:
    struct Connection;
    void taskFailed(kj::Exception&& exception) override;
    kj::Promise<void> accept_all(kj::Own<kj::ConnectionReceiver> receiver);
    void serve(kj::Own<kj::AsyncCapabilityStream> stream, bool creator);

    Sandbox& sandbox_;
    kj::LowLevelAsyncIoProvider& io_;
    kj::TaskSet tasks_;
};

} // namespace runvm::sandbox
