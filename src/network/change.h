#pragma once
// Brings a namespace from one state to another.

#include "network/netlink.h"
#include "network/state.h"

#include <map>

namespace runvm::network {

/// Which link of the namespace stands for which of a state's: from that one's index to this one's.
using LinkNumbers = std::map<uint32_t, uint32_t>;

/// The namespace's own lo, and its NICs by their permanent addresses (nic_address), for the links of `wanted`
/// that have one here.
Result<LinkNumbers> find_nics(Netlink& netlink, const State& wanted);

/// Removes what `before` has and `wanted` has not, and adds what `wanted` has and `before` has not. What else
/// is in the namespace stays: a container that may configure its network has put it there. What is there
/// already, or gone already, is no error: so it can be done again after one. `numbers` has all links of
/// `wanted`, and those of `before` that are still there. The calling thread is in the namespace (sysctls).
Result<void> change(Netlink& netlink, const LinkNumbers& numbers, const State& before, const State& wanted);

} // namespace runvm::network
