#pragma once
// What decides when and where the calling process runs: process.scheduler, process.ioPriority and
// process.execCPUAffinity of config.json, and the agent's own precedence.

#include "core/result.h"
#include "protocol/common.capnp.h"

#include <cstdint>
#include <string>
#include <vector>

namespace runvm::agent {

Result<void> set_scheduler(protocol::Scheduler::Reader scheduler);

/// `io_class`: IOPRIO_CLASS_*; level 0 to 7.
Result<void> set_io_priority(uint16_t io_class, uint16_t level);

/// "0-3,7" as the numbers 0, 1, 2, 3, 7; invalid_argument for anything else or for a cpu above 1023.
Result<std::vector<unsigned>> parse_cpu_list(const std::string& list);

Result<void> set_cpu_affinity(const std::vector<unsigned>& cpus);

/// The agent runs before all that its guest's containers do, whatever they are busy with: an exec or a kill
/// is not to wait for a turn, nor is what keeps virtiofsd from running out of descriptors (cached_inodes.h).
/// What it starts has the usual policy.
Result<void> run_before_containers();

} // namespace runvm::agent
