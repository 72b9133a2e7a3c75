#pragma once
// A container with a user namespace: what the agent does for its process, and what that then does itself.

#include "core/result.h"
#include "os/user_namespace.h"
#include "protocol/common.capnp.h"

#include <sys/types.h>

#include <string>

namespace runvm::agent {

/// Empty without a user namespace.
os::IdMappings id_mappings_of(protocol::Container::Reader container);

/// For a process that has just been born in its namespaces and waits: its ids are mapped, and it gets what
/// needs the guest's root (grant_privileges, and those sysctls that are not the user namespace's own).
Result<void> set_up_user_namespace(pid_t pid, int pidfd, protocol::Container::Reader container,
                                   const os::IdMappings& id_mappings);

/// Makes this process root in the user namespace that it is in.
Result<void> become_root();

/// Is this sysctl ("user/max_inotify_watches") one of the user namespace?
bool is_user_sysctl(const std::string& key);

/// The value as the agent has to write it: net.ipv4.ping_group_range has ids of the writer's user namespace.
std::string sysctl_of_guest(const std::string& key, const std::string& value,
                            const os::IdMappings& id_mappings);

} // namespace runvm::agent
