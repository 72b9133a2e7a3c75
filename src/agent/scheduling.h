#pragma once
// process.scheduler, process.ioPriority and process.execCPUAffinity of config.json, for the calling process.

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

} // namespace runvm::agent
