#pragma once
// The agent's life after boot: one session with the host after another. Containers go on in between.

#include "agent/containers.h"
#include "agent/growth.h"
#include "agent/network.h"
#include "agent/ports.h"

#include <kj/async-unix.h>

#include <cstdint>

namespace runvm::agent {

class Sessions {
public:
    Sessions(kj::UnixEventPort& event_port, PortSource& ports, Containers& containers, Growth& growth,
             Network& network, uint64_t boot_ns)
        : event_port_(event_port), ports_(ports), containers_(containers), growth_(growth), network_(network),
          boot_ns_(boot_ns) {}

    /// Never resolves.
    kj::Promise<void> run();

private:
    kj::Promise<void> serve(SessionPorts ports);

    kj::UnixEventPort& event_port_;
    PortSource& ports_;
    Containers& containers_;
    Growth& growth_;
    Network& network_;
    uint64_t boot_ns_;
};

/// The whole agent: boots the guest and serves. Never returns.
[[noreturn]] void run_agent();

} // namespace runvm::agent
