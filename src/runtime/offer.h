#pragma once
// What a command gives to the monitor for the process that it wants made: descriptors, in messages of their
// own (sandbox.capnp, addDescriptors).

#include "core/result.h"
#include "oci/config.h"
#include "runtime/monitor_connection.h"
#include "runtime/process_streams.h"

#include <span>
#include <string>
#include <vector>

namespace runvm::runtime {

struct ProcessName {
    std::string container;
    std::string exec_id; ///< empty: the container's first process
};

/// The monitor's ends of the streams, which are taken out of them. The process has to be made through the
/// same `sandbox`.
Result<void> offer_streams(MonitorConnection& connection, protocol::Sandbox::Client& sandbox,
                           const ProcessName& process, std::vector<ProcessStream>& streams);

/// The network namespace of a process: the sandbox's from now on.
Result<void> offer_network(MonitorConnection& connection, pid_t pid);

/// A detached copy of each tree; the rootfs, which is the first one, is the root of the process that the
/// pidfd `root_of` is of, unless that is -1. An error names what cannot be shared.
Result<void> offer_shares(MonitorConnection& connection, protocol::Sandbox::Client& sandbox,
                          const std::string& container, std::span<const oci::ShareSource> sources,
                          int root_of);

} // namespace runvm::runtime
