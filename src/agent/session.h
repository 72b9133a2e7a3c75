#pragma once
// The agent's life after boot: one session with the host after another. Containers go on in between.

#include "agent/ports.h"
#include "agent/service.h"

#include <kj/async-unix.h>

namespace runvm::agent {

class Sessions {
public:
    Sessions(kj::UnixEventPort& event_port, PortSource& ports, const GuestParts& guest)
        : event_port_(event_port), ports_(ports), guest_(guest) {}

    /// Never resolves.
    kj::Promise<void> run();

private:
    kj::Promise<void> serve(SessionPorts ports);

    kj::UnixEventPort& event_port_;
    PortSource& ports_;
    const GuestParts guest_;
};

/// The whole agent: boots the guest and serves. Never returns.
[[noreturn]] void run_agent();

} // namespace runvm::agent
