#pragma once
// The trees of the host that a container gets.

#include "core/result.h"
#include "oci/config.h"
#include "os/fd.h"

#include <span>

namespace runvm::runtime {

/// A detached copy of the source's mount, id-mapped if that is asked for: here on the host and not in the
/// guest, whose virtiofs can do it from Linux 6.12 on only. unsupported if the source's file system cannot.
Result<os::Fd> clone_share(const oci::ShareSource& source);

/// Can those that are to be id-mapped be so? To find out before a machine is started for nothing.
Result<void> check_id_mapped_shares(std::span<const oci::ShareSource> sources);

} // namespace runvm::runtime
