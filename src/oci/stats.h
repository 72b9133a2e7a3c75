#pragma once
// The lines of `events`, in runc's shape (its types/events.go), with a container's figures from its cgroup
// in the guest.

#include "core/result.h"

#include <map>
#include <string>
#include <vector>

namespace runvm::oci {

/// The files of a cgroup (v2) that the figures come from.
const std::vector<std::string>& stats_files();

/// One line of JSON, with its newline. `files`: the contents by name, empty for one that the guest lacks.
/// They are the guest's: what is no number there is left out.
std::string stats_event(const std::string& id, const std::map<std::string, std::string>& files);
std::string oom_event(const std::string& id);

} // namespace runvm::oci
