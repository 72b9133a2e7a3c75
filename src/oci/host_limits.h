#pragma once
// linux.resources: what of it holds on the host as well (docs/cgroups.md).

#include "cgroup/limits.h"
#include "oci/document.h"

namespace runvm::oci {

/// Mistakes go into the document.
cgroup::Limits read_host_limits(const Value& resources);

} // namespace runvm::oci
