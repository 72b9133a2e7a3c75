#pragma once
// What the disk says of one container.

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>

namespace runvm::state {

/// A process of the host that cannot be mistaken for a later one with the same number.
struct ProcessRef {
    pid_t pid = 0;           ///< 0: none
    uint64_t start_time = 0; ///< field 22 of /proc/<pid>/stat, in clock ticks since boot
};

/// True if that very process lives; a zombie does not.
bool is_alive(const ProcessRef& process);
/// The reference of a living process; start_time 0 if it is gone.
ProcessRef process_ref(pid_t pid);

/// The journal's and runc's statuses. What is on disk is the last that a command wrote: `effective_status`
/// adds what the processes say.
enum class Status { creating, created, running, paused, stopped };
const char* to_string(Status status);

struct Container {
    std::string id;
    Status status = Status::creating;
    std::string oci_version;
    std::string bundle;     ///< absolute
    std::string rootfs;     ///< absolute
    int64_t created_ns = 0; ///< since the epoch
    std::map<std::string, std::string> annotations;
    uid_t owner = 0;
    std::string sandbox_id;
    std::string sandbox_folder; ///< absolute: <root>/@sandboxes/<hash>
    ProcessRef creator;         ///< the CLI that makes it: as long as it lives, `creating` is true
    ProcessRef shim;            ///< the pid that callers see
    ProcessRef shim_init;       ///< pid 1 of the shim's pid namespace
    ProcessRef reaper;          ///< pid 1 of the monitor's pid namespace
    /// Its cgroup on the host: its folders by the hierarchies' controllers (cgroup/place.h). None: nowhere.
    std::map<std::string, std::string> cgroup_folders;
    std::string cgroup_unit; ///< of systemd that has them; empty: none
    /// The most memory that its machine has been asked to have: what it has may take long to be given back.
    uint64_t machine_mib = 0;
    std::string config; ///< config.json as it was at create
};

/// Status as a caller may see it: `stopped` when the shim is gone (or, while creating, the creator).
Status effective_status(const Container& container);

} // namespace runvm::state
