#pragma once
// /dev of a container: the default devices of config-linux.md, those of config.json, and the usual links.

#include "agent/rootfs.h"
#include "core/result.h"
#include "protocol/common.capnp.h"

namespace runvm::agent {

/// Makes the default devices, `devices`, /dev/ptmx, /dev/fd, /dev/stdin, /dev/stdout, /dev/stderr and
/// /dev/core. What exists stays as it is (runc does the same). Needs umask 0.
Result<void> make_devices(const Rootfs& rootfs, capnp::List<protocol::Device>::Reader devices);

/// False if one of the mounts binds a ready /dev: then runc leaves it alone, and so do we.
bool needs_devices(capnp::List<protocol::Mount>::Reader mounts);

} // namespace runvm::agent
