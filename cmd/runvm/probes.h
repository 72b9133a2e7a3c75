#pragma once
// What `runvm check` looks at: each is one question to this machine, answered with one finding.

#include "cli/findings.h"
#include "config/config.h"
#include "runtime/commands.h"

#include <string>

namespace runvm::probes {

using cli::Finding;

Finding user();
Finding accelerator(const config::Config& config);
Finding vsock(const config::Config& config);
Finding emulator(const config::Config& config);
Finding libvirt_driver();
Finding virtiofsd(const config::Config& config);
Finding programs(const runtime::Layout& layout);
Finding kernel(const config::Config& config, const runtime::Layout& layout);
Finding image(const config::Config& config, const runtime::Layout& layout);
Finding namespaces();
Finding cgroup();
Finding memory(const config::Config& config);
/// Whether `path` can be made or written to, with some space left.
Finding folder(const std::string& name, const std::string& path);

} // namespace runvm::probes
