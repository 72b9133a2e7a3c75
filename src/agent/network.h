#pragma once
// The guest's network: its root network namespace, in which all containers are.

#include "agent/name_relay.h"
#include "core/result.h"
#include "network/netlink.h"
#include "network/state.h"
#include "protocol/agent.capnp.h"

#include <kj/async.h>
#include <kj/timer.h>

#include <cstdint>
#include <optional>

namespace runvm::agent {

class Network {
public:
    /// `initial_root`: for the driver of NICs, which a guest without links does not load.
    Network(kj::Timer& timer, int initial_root, NameRelay& names)
        : timer_(timer), initial_root_(initial_root), names_(names) {}

    /// As Agent.setNetwork: one call at a time; a later one waits.
    kj::Promise<Result<void>> set(protocol::Network::Reader network, uint32_t limit_ms);

private:
    kj::Promise<Result<void>> set_when_plugged(network::State wanted, kj::TimePoint deadline);
    Result<void> relay_names();

    kj::Timer& timer_;
    int initial_root_;
    NameRelay& names_;
    bool relays_names_ = false;
    bool is_driver_loaded_ = false;
    std::optional<network::Netlink> netlink_;
    network::State present_; ///< what the last call has set
};

} // namespace runvm::agent
