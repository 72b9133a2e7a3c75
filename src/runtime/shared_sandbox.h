#pragma once
// Containers that are in one network namespace of the host share a sandbox, and so the guest's localhost:
// `docker run --network container:X`, the containers of a pod.

#include "cgroup/limits.h"
#include "core/result.h"
#include "runtime/commands.h"

#include <optional>
#include <string>
#include <vector>

namespace runvm::runtime {

/// A container of this root that lives in the network namespace of `path`; none if the path is empty or
/// nobody lives there.
Result<std::optional<state::Container>> find_in_network(const Context& context, const std::string& path);

/// The containers that live in the sandbox of this folder, but for `id`.
Result<std::vector<state::Container>>
others_in_sandbox(const Context& context, const std::string& sandbox_folder, const std::string& id);

/// The same with those that have stopped: the machine is in the cgroup of one of them until it is deleted.
Result<std::vector<state::Container>>
all_others_in_sandbox(const Context& context, const std::string& sandbox_folder, const std::string& id);

/// Do others say that this folder is their sandbox's, also those that have stopped? It is not to be another
/// sandbox's then.
Result<bool> is_sandbox_of_others(const Context& context, const std::string& sandbox_folder,
                                  const std::string& id);

/// A sandbox that several containers have had is not bounded on the host any more: its machine is larger than
/// any of them says. Noted in its folder.
Result<void> note_shared(const std::string& sandbox_folder);
bool has_been_shared(const std::string& sandbox_folder);
/// The limits that are left on the host of a container of such a sandbox.
cgroup::Limits limits_beside_machine(cgroup::Limits limits);

/// Ends the container, with its sandbox if nobody else lives there, and removes its cgroup; a machine that is
/// in that goes to another container's. May be called again and again.
Result<void> leave_sandbox(Context& context, const state::Container& container);

/// Has the guest end and forget it: others stay. No error if the guest has none of that id, or if there is no
/// guest.
Result<void> end_in_guest(const Context& context, const state::Container& container);

} // namespace runvm::runtime
