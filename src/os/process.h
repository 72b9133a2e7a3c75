#pragma once
// Starting programs, and processes by descriptor (pidfd): a pid can be taken by another process, a pidfd
// cannot.

#include "core/result.h"
#include "os/fd.h"

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace runvm::os {

struct ResourceLimit {
    int resource = 0; ///< RLIMIT_*
    rlim_t soft = 0;
    rlim_t hard = 0;
};

/// What a new program gets. It gets nothing else: every descriptor that is not named here is closed, signals
/// are unblocked and back to their defaults.
struct SpawnSpec {
    std::vector<std::string> argv; ///< argv[0] is a path; PATH is not searched
    std::string executable;        ///< the file to execute when that is not argv[0]
    std::vector<std::string> env;  ///< "NAME=value"; the caller's environment is not inherited
    /// From the caller's descriptor to the program's number. Any order, overlaps and repetitions of `from`
    /// are right. Of 0, 1 and 2 those that are not named become /dev/null.
    std::vector<std::pair<int, int>> fds;
    uint64_t clone_flags = 0; ///< CLONE_NEW* of clone3(2)
    int pid_namespace = -1;   ///< an open pid namespace, of the caller's own or a descendant, to be born in
    int namespaces_of = -1; ///< pidfd of a process whose `joined_namespaces` it enters, pid namespaces aside
    int joined_namespaces = 0; ///< CLONE_NEW* of setns(2)
    bool new_session = false;  ///< setsid: out of reach of the caller's terminal and process group
    std::string cwd;           ///< empty: the caller's
    std::vector<ResourceLimit> rlimits;
    /// Called in this process while the new one waits, before its execve: what is done to it by its pid. An
    /// error ends it.
    std::function<Result<void>(pid_t pid)> before_exec;
};

struct Spawned {
    pid_t pid = 0; ///< in the caller's pid namespace
    Fd pidfd;
};

/// clone3(2), a fork: into new namespaces by `flags` (CLONE_NEW*), and into a cgroup if `cgroup`, its folder,
/// is not negative. pid 0 and no pidfd in the child.
Result<Spawned> clone_process(uint64_t flags, int cgroup = -1);

/// Starts a program, and returns once it has been executed. An error names the step that failed and carries
/// its errno: kind system (also when the file cannot be executed), or timeout; no process is left then.
Result<Spawned> spawn(const SpawnSpec& spec);

/// How a process ended.
struct ExitStatus {
    int code = 0;   ///< if signal is 0
    int signal = 0; ///< the signal that killed it, or 0
    /// As a shell's $?: the code, or 128 + signal.
    int shell_code() const { return signal != 0 ? 128 + signal : code; }
};

/// A pidfd of a running process; process_finished if there is none with this pid (any more).
Result<Fd> open_pidfd(pid_t pid);

/// pidfd_send_signal(2); process_finished if the process has been reaped.
Result<void> send_signal(int pidfd, int signal);

/// Waits until the process (a child or not) has ended, at most `timeout_ms`, or without a limit if that is
/// negative. False if the time is over.
Result<bool> wait_for_end(int pidfd, int timeout_ms);

/// The same for a child, which is reaped: nothing if the time is over.
Result<std::optional<ExitStatus>> wait_for_exit(int pidfd, int timeout_ms);

/// SIGKILL for a child, which is reaped unless that takes longer than 10 s. Nothing happens when there is
/// none, or when it has been reaped.
void end_child(const Spawned& child);

} // namespace runvm::os
