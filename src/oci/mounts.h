#pragma once
// config.md, "root" and "mounts": what the host shares with the guest, and what the guest mounts.

#include "oci/config.h"
#include "oci/document.h"

namespace runvm::oci {

/// The rootfs: the first share.
void read_root(const Value& root, const std::string& bundle, protocol::Container::Builder container,
               HostPlan& plan);

/// A share for every bind mount ("m0" is the mount with index 0), and the mounts in their order.
void read_mounts(const Value& mounts, const std::string& bundle, protocol::Container::Builder container,
                 HostPlan& plan);

} // namespace runvm::oci
