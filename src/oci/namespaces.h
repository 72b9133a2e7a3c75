#pragma once
// config-linux.md, "namespaces" and "timeOffsets".

#include "oci/config.h"
#include "oci/document.h"

#include <cstdint>

namespace runvm::oci {

/// The namespaces that a config.json lists.
struct NamespaceList {
    uint64_t listed = 0; ///< CLONE_NEW*

    bool has(uint64_t clone_flag) const { return (listed & clone_flag) != 0; }
};

NamespaceList read_namespaces(const Value& namespaces, protocol::Container::Builder container,
                              HostPlan& plan);

/// The network namespace that a saved config.json joins; empty for a new one.
Result<std::string> network_path_of(const std::string& config);

void read_time_offsets(const Value& offsets, const NamespaceList& namespaces,
                       protocol::Container::Builder container);

/// "cgroup", "ipc", ... sorted: for `features`.
std::vector<std::string> known_namespaces();

} // namespace runvm::oci
