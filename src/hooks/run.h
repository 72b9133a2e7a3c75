#pragma once
// Runs hooks (config.md, "POSIX-platform Hooks").

#include "core/result.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace runvm::hooks {

struct Hook {
    std::string path; ///< absolute
    std::vector<std::string> args;
    std::optional<std::vector<std::string>> env; ///< none: that of the process which runs it, as in runc
    uint32_t timeout_s = 0;                      ///< 0: no limit
};

struct Place {
    std::string cwd;        ///< empty: that of the process which runs it
    int namespaces_of = -1; ///< pidfd of a process whose mount, network, ipc and uts namespaces it enters
    int pid_namespace = -1; ///< an open pid namespace to be born in
    int interrupts_fd = -1; ///< ends the hook when it is readable; -1: nothing does
};

/// One after the other, with `state` on standard input, until one fails: then the error says which, how it
/// ended and what it wrote, in runc's words. A hook that runs past its timeout is killed with its process
/// group; one that has ended may leave processes behind.
Result<void> run(const char* kind, std::span<const Hook> hooks, const std::string& state, const Place& place);

} // namespace runvm::hooks
