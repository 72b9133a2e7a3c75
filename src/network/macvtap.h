#pragma once
// The other way to tie a link to a machine: a macvtap device over it, in passthru mode. It takes all that
// arrives at the link, and what the machine sends leaves by it. It is in the network namespace of the monitor
// and QEMU, and goes with that, whatever ends them; the link's own namespace has no trace of it.

#include "core/result.h"
#include "network/netlink.h"

#include <cstdint>
#include <string>

namespace runvm::network {

/// Makes the device over a link of the namespace of `there`, in the one that the calling thread is in, with
/// its node in /dev for libvirt to open. One of this name, which an earlier try has left, is replaced.
/// already_exists if another device has the link.
Result<void> make_macvtap(Netlink& there, uint32_t link, const std::string& name);

/// Brings it up, with this MTU. It has the link's address, and follows changes of that itself.
Result<void> bring_macvtap_up(const std::string& name, uint32_t mtu);

/// Success if there is none. In the namespace that the calling thread is in.
Result<void> remove_macvtap(const std::string& name);

} // namespace runvm::network
