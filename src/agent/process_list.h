#pragma once
// What the guest's /proc says of a container's processes.

#include "core/result.h"
#include "protocol/common.capnp.h"

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace runvm::agent {

struct ProcessInfo {
    uint32_t pid = 0; ///< this and the next three: in the container's pid namespace, 0 if it is not in it
    uint32_t parent_pid = 0;
    uint32_t group_id = 0;
    uint32_t session_id = 0;
    uint32_t uid = 0;
    uint32_t gid = 0;
    char state = '?';
    int32_t nice = 0;
    uint32_t threads = 0;
    uint32_t terminal = 0;
    uint64_t age_ms = 0;
    uint64_t cpu_ms = 0;
    uint64_t virtual_bytes = 0;
    uint64_t resident_bytes = 0;
    bool is_session_leader = false;
    bool is_foreground = false;
    std::string name;
    std::string command_line;

    void write(protocol::ProcessInfo::Builder out) const;
};

/// By their numbers in the agent's pid namespace; those that end meanwhile are left out. `depth`: of the
/// container's pid namespace below the agent's. At most maxProcessInfos.
std::vector<ProcessInfo> list_processes(const std::vector<pid_t>& pids, size_t depth);

/// How many pid namespaces below the agent's a process was born in; 0 if it is gone.
size_t namespace_depth(pid_t pid);

/// /proc/<pid>/stat and status; exposed for the tests. False if the text is no such file.
bool parse_stat(const std::string& text, uint64_t uptime_ms, ProcessInfo& info, pid_t& parent);
bool parse_status(const std::string& text, size_t depth, ProcessInfo& info);

} // namespace runvm::agent
