#pragma once
// config.md, "process", to the protocol's Process.

#include "oci/config.h"
#include "oci/document.h"

namespace runvm::oci {

enum class ProcessRole {
    container, ///< the container's own process
    exec,      ///< one more: process.execCPUAffinity concerns it
};

/// Fills everything but seccomp and streams; terminal and console size go to `plan` too.
void read_process(const Value& process, ProcessRole role, protocol::Process::Builder built, HostPlan& plan);

} // namespace runvm::oci
