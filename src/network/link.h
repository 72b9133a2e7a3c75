#pragma once
// Links of machines on the host.

#include "core/result.h"
#include "network/netlink.h"

#include <cstdint>
#include <string>

namespace runvm::network {

/// The names of our taps begin with it.
inline constexpr const char* tap_prefix = "rvtap";

/// The index of the link of this name.
Result<uint32_t> link_index(Netlink& netlink, const std::string& name);

/// Moves a link from the namespace of `netlink` into another one.
Result<void> move_link(Netlink& netlink, uint32_t link, int namespace_fd);

/// Makes of a tap a link that only forwards: up, with this MTU and without an address of its own. `flags`:
/// further IFF_* for it to have.
Result<void> bring_up(Netlink& netlink, uint32_t link, uint32_t mtu, unsigned flags = 0);

} // namespace runvm::network
