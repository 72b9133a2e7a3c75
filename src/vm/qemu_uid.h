#pragma once
// A uid for each sandbox's QEMU that no other process of the machine has: one QEMU that a guest has taken
// over can reach nothing of another's.

#include "core/result.h"
#include "os/fd.h"

#include <sys/types.h>

#include <string>

namespace runvm::vm {

/// The uids (and gids) 2100000000 to 2100065535. They are free by convention: login.defs' subordinate ids end
/// at 600100000, systemd's container uids at 1879048191 and sssd's default id map at 2000200000, and
/// systemd's foreign uids begin at 2147352576 (systemd, docs/UIDS-GIDS.md).
inline constexpr uid_t qemu_uid_base = 2'100'000'000;
inline constexpr uid_t qemu_uid_count = 65'536;

struct QemuUid {
    uid_t uid = 0; ///< also the gid
    /// Holds the uid as long as this or a copy of it (dup, fork, exec) is open. Close-on-exec.
    os::Fd lease;
};

/// Leases a uid. `path`: the machine's one lock file, made if it is missing. A sandbox gets the same uid
/// again when it is free. unavailable if all are taken.
Result<QemuUid> lease_qemu_uid(const std::string& path, const std::string& sandbox_id);

} // namespace runvm::vm
