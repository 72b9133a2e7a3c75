#pragma once
// The command lines of runvm-shim, written by src/runtime and read by cmd/shim: they are private to runvm,
// all values are the CLI's. Descriptors are given by number.

#include "core/result.h"
#include "protocol/common.capnp.h"

#include <cstdint>
#include <string>
#include <vector>

namespace runvm::shim {

/// runvm-shim init: pid 1 of the container's namespaces on the host.
struct InitOptions {
    std::string rootfs;        ///< becomes the root of the mount namespace
    std::string hostname;      ///< empty: left as it is
    bool new_network = false;  ///< lo is brought up
    std::vector<int> join_fds; ///< namespaces to join, as descriptors
    int alive_fd = -1;         ///< read end: end-of-file when the last shim has left
    int ready_fd = -1;         ///< write end: nothing and end-of-file when ready, or the error in words
    int hold_fd = -1; ///< read end: once the rootfs is a mount of its own, `bound` goes to ready_fd, and
                      ///< a byte from here is waited for before it becomes the root; -1: no wait
};
inline constexpr char bound = '\n'; ///< the first byte of no error

/// One stream of the process: the caller's descriptor and our end of the pipe or socket pair to the monitor.
struct StreamOption {
    int caller_fd = -1; ///< its number in the process as well, but for the terminal
    uint32_t process_fd = 0;
    protocol::StreamBinding::Direction direction = protocol::StreamBinding::Direction::TO_PROCESS;
    int pipe_fd = -1;
};

/// runvm-shim run: the pid that callers see.
struct RunOptions {
    std::string id;
    std::string exec_id;
    int monitor_fd = -1;       ///< a connected socket
    int alive_fd = -1;         ///< write end, held until the shim leaves
    int ready_fd = -1;         ///< as above
    int init_fd = -1;          ///< pidfd of `runvm-shim init`: the namespaces to join
    int terminal_fd = -1;      ///< the pty's slave, or -1
    int memory_cgroup_fd = -1; ///< of the container's own process: its cgroup on the host; -1: there is none
    int proc_fd = -1;          ///< the host's /proc, if there is that cgroup
    std::vector<StreamOption> streams;
};

std::vector<std::string> to_arguments(const InitOptions& options);
std::vector<std::string> to_arguments(const RunOptions& options);
Result<InitOptions> parse_init_options(const std::vector<std::string>& arguments);
Result<RunOptions> parse_run_options(const std::vector<std::string>& arguments);

} // namespace runvm::shim
