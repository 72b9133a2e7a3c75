#pragma once
// config-linux.md, "User namespace mappings", which mounts have too.

#include "oci/document.h"
#include "os/user_namespace.h"
#include "protocol/common.capnp.h"

#include <vector>

namespace runvm::oci {

/// A list of mappings that the kernel will take; none if it is absent.
std::vector<os::IdMapping> read_id_mappings(const Value& mappings);

/// What the user namespace that `linux` asks for, or does not, says about its mappings: runc's rules.
void check_user_namespace(const Value& linux, bool has_user_namespace, const os::IdMappings& mappings);

void fill_id_mappings(const std::vector<os::IdMapping>& mappings,
                      capnp::List<protocol::IdMapping>::Builder list);

} // namespace runvm::oci
