#pragma once

#include "network/netlink.h"
#include "network/state.h"

namespace runvm::network {

/// A link as the namespace has it, with what says whether a machine can stand in for it.
struct LinkDetails {
    Link link;
    bool is_ethernet = false;
    Mac permanent_mac{}; ///< what the hardware has
    uint32_t master = 0; ///< the bridge that it is a port of
};

/// What the namespace of `netlink` has: all its links, and what engines configure on them. Addresses and
/// routes that come from router advertisements are left out: who stands in for the link hears these, too.
/// `has_resolver` is left false: see resolver.h.
struct Reading {
    std::vector<LinkDetails> links;
    State state; ///< of all these links
};
Result<Reading> read_state(Netlink& netlink);

} // namespace runvm::network
