#pragma once
// config-linux.md: what is left besides namespaces, devices, resources, sysctl and seccomp, and all of it
// together.

#include "oci/config.h"
#include "oci/document.h"

namespace runvm::oci {

void read_linux(const Value& root, protocol::Container::Builder container, HostPlan& plan);

} // namespace runvm::oci
