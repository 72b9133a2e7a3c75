#pragma once
// A container's cgroup on the host (cgroup/place.h): who makes it, who is put into it, what is left of it.

#include "cgroup/limits.h"
#include "cgroup/place.h"
#include "core/result.h"
#include "oci/cgroup.h"
#include "protocol/common.capnp.h"
#include "runtime/commands.h"
#include "state/container.h"

#include <functional>

namespace runvm::runtime {

/// What a program goes through before its execve (os::SpawnSpec::before_exec); empty: nothing.
using EnterCgroup = std::function<Result<void>(pid_t pid)>;

/// Decides where the container's cgroup is to be and writes that into `container`. Nothing is made.
/// wrong_state if one with processes in it is there.
Result<void> choose_cgroup(const Context& context, const oci::HostCgroup& wanted,
                           state::Container& container);

/// Writes down beside the machine's things which it is, before it is made: for whoever clears up after a
/// state that cannot be read any more.
Result<void> note_cgroup(const state::Container& container);
/// The reverse, for a container of which the id and the sandbox's folder are known. Nothing happens if it has
/// not been noted.
void find_noted_cgroup(state::Container& container);

/// Kills the shims that are in it. For a container whose state cannot be read any more: others' machine may
/// be there, too.
void end_shims_in_cgroup(const state::Container& container);

/// Makes it, with the limits that hold at once, and puts its first process there. `slice`: where its unit is,
/// if it has one.
Result<void> found_cgroup(const state::Container& container, const std::string& slice,
                          const cgroup::Limits& limits, pid_t first);

/// Writes the limits that would have made the boot last for ever.
Result<void> limit_cpu_time(const state::Container& container, const cgroup::Limits& limits);

/// For each further process of the container.
EnterCgroup enter_cgroup_of(const state::Container& container);

/// Its folder in the hierarchy that counts memory; empty if there is none.
std::string memory_cgroup_of(const state::Container& container);

/// Removes it. No error if it is not there.
Result<void> remove_cgroup(const state::Container& container);

/// Puts what is left in the cgroup of `from`, whose own processes have ended, into that of `to`: the machine
/// that it started and that others use. Memory stays charged to where it was used first.
Result<void> move_machine(const state::Container& from, const state::Container& to);

/// For a container whose machine others are going to share: limits of memory and cpu time on the host go,
/// those in the guest hold for each.
Result<void> lift_limits(const state::Container& container);

/// New limits for a container that runs.
cgroup::Change change_limits(const state::Container& container, const cgroup::Limits& limits);
/// Tells systemd, if it has the cgroup, what has been changed.
Result<void> tell_systemd(const state::Container& container, const cgroup::Limits& limits);

/// What the container's machine needs (state::Container::machine_mib).
cgroup::Room room_of(const state::Container& container);

} // namespace runvm::runtime
