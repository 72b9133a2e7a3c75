#pragma once
// What a monitor is told of the machine that it shall make: the configuration, and what the container wants.

#include "core/result.h"
#include "oci/config.h"
#include "protocol/sandbox.capnp.h"
#include "runtime/commands.h"

#include <cstdint>
#include <string>

namespace runvm::runtime {

/// Decides what is left open ("auto", empty paths) and fills `config`.
Result<void> fill_sandbox_config(const Context& context, const oci::HostPlan& plan,
                                 const std::string& sandbox_id, protocol::SandboxConfig::Builder config);

/// The memory of a guest for a container with this limit (0: none, which means the configured size): room for
/// the limit and for the guest itself, but never more than the host has, which no container can use up.
uint64_t guest_memory_mib(uint64_t configured_mib, uint64_t limit_bytes, uint64_t host_mib);

} // namespace runvm::runtime
