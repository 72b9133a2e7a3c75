#pragma once
// What a monitor is told of the machine that it shall make: the configuration, and what the container wants.

#include "core/result.h"
#include "protocol/sandbox.capnp.h"
#include "runtime/commands.h"

#include <string>

namespace runvm::runtime {

/// Decides what is left open ("auto", empty paths, 0 for what the host has) and fills `config`.
Result<void> fill_sandbox_config(const Context& context, protocol::Resources::Reader resources,
                                 const std::string& sandbox_id, protocol::SandboxConfig::Builder config);

/// The memory of a machine that boots for these limits, and of one that is changed to them, at most.
uint64_t boot_memory_mib(const Context& context, protocol::Resources::Reader resources);
uint64_t grown_memory_mib(const Context& context, protocol::Resources::Reader resources);

} // namespace runvm::runtime
