#pragma once
// config-linux.md, "sysctl".

#include "oci/namespaces.h"

namespace runvm::oci {

/// Fills container.sysctl. A key is given as the file below /proc/sys ("net/ipv4/ip_forward"): "." and "/"
/// both separate in a config.json (sysctl.d(5)), and an interface's name may contain a dot.
void read_sysctl(const Value& sysctl, const NamespaceList& namespaces,
                 protocol::Container::Builder container);

} // namespace runvm::oci
