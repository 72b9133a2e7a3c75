#pragma once
// The container's bind mounts in the mount namespace of its shims.

#include "core/result.h"
#include "oci/config.h"

#include <span>
#include <string>
#include <vector>

namespace runvm::runtime {

/// Mounts them where callers look that reach into the reported pid: `podman cp` joins its mount namespace
/// (libpod/container_copy_linux.go), `nerdctl cp` goes through /proc/<pid>/root. Only where the rootfs has
/// the mount point, which is not so below a tmpfs of the guest's. `init` is a pidfd of the shim's init. What
/// cannot be mounted is no reason to give up: it is returned in words.
std::vector<std::string> mount_for_callers(int init, std::span<const oci::ShareSource> shares);

} // namespace runvm::runtime
