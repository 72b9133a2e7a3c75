#pragma once
// config-linux.md, "resources": cgroup v2 files and device rules for the guest, by runc's conversions.

#include "oci/document.h"
#include "protocol/common.capnp.h"

#include <cstdint>

namespace runvm::oci {

/// What the limits ask of the machine is `built.demand`.
void read_resources(const Value& resources, protocol::Resources::Builder built);

/// True if the last word of the rules is that everything is allowed: a privileged container.
bool allows_all_devices(const Value& rules);

/// runc's conversion of cpu.shares (2 to 262144, default 1024) to cpu.weight (1 to 10000, default 100).
uint64_t cpu_weight(uint64_t shares);

/// runc's conversion of blockIO.weight (10 to 1000) to io.weight (1 to 10000); 0 is not set.
uint64_t io_weight(uint64_t weight);

} // namespace runvm::oci
