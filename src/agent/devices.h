#pragma once
// /dev of a container: the default devices of config-linux.md, those of config.json, and the usual links.

#include "agent/rootfs.h"
#include "core/result.h"
#include "os/fd.h"
#include "os/user_namespace.h"
#include "protocol/common.capnp.h"

#include <string>
#include <vector>

namespace runvm::agent {

/// Makes the default devices, `devices`, /dev/ptmx, /dev/fd, /dev/stdin, /dev/stdout, /dev/stderr and
/// /dev/core. What exists stays as it is (runc does the same). Needs umask 0.
Result<void> make_devices(const Rootfs& rootfs, capnp::List<protocol::Device>::Reader devices);

/// The same in a user namespace, where mknod is not allowed: devices are bound over what is there, as runc
/// does it. `trees` are those of `devices`; the default ones are the guest's own.
Result<void> bind_devices(const Rootfs& rootfs, capnp::List<protocol::Device>::Reader devices,
                          const std::vector<os::Fd>& trees);

/// Nodes in `folder`, which is made, with their modes and owners, as detached mounts that can be bound. An
/// owner who is not mapped is replaced by the guest's root, which nobody in the container is.
Result<std::vector<os::Fd>> make_device_trees(const std::string& folder,
                                              capnp::List<protocol::Device>::Reader devices,
                                              const os::IdMappings& id_mappings);

/// False if one of the mounts binds a ready /dev: then runc leaves it alone, and so do we.
bool needs_devices(capnp::List<protocol::Mount>::Reader mounts);

} // namespace runvm::agent
