#pragma once
// /dev/shm as engines prepare it: Podman always, Docker with --ipc=shareable and CRIs for a pod mount a tmpfs
// of their own on the host and bind it (Podman's libpod/container_internal_common.go, containerd's
// pkg/cri/server/sandbox_run_linux.go). Memory of the host behind a file server is not what a program expects
// there: the guest makes such a tmpfs itself, of the same size.

#include <optional>
#include <string>

namespace runvm::oci {

struct SharedMemory {
    std::string key;     ///< who binds the same tmpfs has the same: "0:45", its device number
    std::string options; ///< for mount(2): "size=65536k,mode=1777,uid=0,gid=0"
};

/// Of a bind mount's source; none unless it is the root of an empty tmpfs, and not the host's own /dev/shm.
std::optional<SharedMemory> shared_memory_at(const std::string& source);

} // namespace runvm::oci
