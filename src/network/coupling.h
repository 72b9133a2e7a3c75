#pragma once
// Ties a link of a namespace to a machine's tap beside it: what arrives at the one leaves by the other, both
// ways, by traffic control's ingress filters. The namespace's own network stack sees nothing of the traffic,
// so that it answers for none of the link's addresses, which stay there for engines to look at.
//
// Two kinds of packets reach it all the same, because Docker's resolver asks other name servers from within
// the namespace: neighbours' answers (it and the guest get these), and name servers' answers to its own
// ports.

#include "network/netlink.h"

#include <cstdint>

namespace runvm::network {

/// Ports from here on are those of the namespace's own stack on the host. The guest's kernel gives none of
/// them away by itself (net.ipv4.ip_local_port_range).
inline constexpr uint16_t own_first_port = 64512;

/// Two links of the namespace of `netlink`, by their indexes. Filters of a machine that is gone are replaced;
/// already_exists if the link has those of a living one, or somebody else's.
Result<void> couple(Netlink& netlink, uint32_t link, uint32_t tap);

/// Takes our filters from a link; success if it has none, or is gone.
Result<void> uncouple(Netlink& netlink, uint32_t link);
/// The same, unless they lead to another machine's living tap than this one.
Result<void> uncouple(Netlink& netlink, uint32_t link, uint32_t tap);

/// Takes filters from all links whose machine is gone.
Result<void> uncouple_abandoned(Netlink& netlink);

} // namespace runvm::network
