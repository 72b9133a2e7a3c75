#pragma once
// A container's cgroup on the host: a folder in each hierarchy, for the shim, the monitor and all that this
// starts. What the disk keeps of it is `Folders`: so it can be found, and removed, whoever asks and from
// whichever cgroup.

#include "cgroup/hierarchy.h"
#include "core/result.h"

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace runvm::cgroup {

/// By the hierarchy's controllers (Hierarchy), absolute paths.
using Folders = std::map<std::string, std::string>;

class Place {
public:
    /// Nowhere: nothing is made, nobody is put anywhere.
    Place() = default;
    explicit Place(Folders folders) : folders_(std::move(folders)) {}

    /// For a path below the root of each hierarchy or, if it is relative, where runc puts it: below the
    /// caller's own cgroup, and in cgroup v2 beside that one. invalid_argument for a path that is the root.
    static Result<Place> at(const std::vector<Hierarchy>& hierarchies, const std::string& path);

    const Folders& folders() const { return folders_; }
    bool is_nowhere() const { return folders_.empty(); }
    /// Is it in cgroup v2 that its limits are?
    bool is_unified() const;
    /// Of the hierarchy that has the controller; empty: there is none. In cgroup v2 any controller's.
    std::string folder_of(const std::string& controller) const;

    /// wrong_state, in runc's words, if there is one with processes in it, or a frozen one.
    Result<void> check_unused() const;

    /// Makes the folders and what is missing above them, ready for processes. No error for one that is there.
    Result<void> make(const std::vector<Hierarchy>& hierarchies) const;

    /// Puts a process into it. process_finished if there is none.
    Result<void> add(pid_t pid) const;

    /// Its processes: those of its folders alone, not of what somebody has made below.
    Result<std::vector<pid_t>> processes() const;

    /// Puts all of them into another one, also those that come while it is at work.
    Result<void> move_to(const Place& other) const;

    /// Removes the folders and all cgroups below them; what is above stays, as with runc. No error if there
    /// are none. wrong_state, with pids, if processes do not leave within a second.
    Result<void> remove() const;

private:
    Folders folders_;
};

/// Of one cgroup alone; none if it is gone. Exposed for the tests.
Result<std::vector<pid_t>> processes_in(const std::string& folder);

} // namespace runvm::cgroup
