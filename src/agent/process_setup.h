#pragma once
// What config.json's "process" says, done to the process that becomes it: the same for a container's own
// process and for an exec. The order is runc's (standard_init_linux.go, init_linux.go finalizeNamespace),
// because it decides which steps still have root's rights.

#include "agent/setup_channel.h"
#include "agent/stdio.h"
#include "core/result.h"
#include "protocol/common.capnp.h"

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace runvm::agent {

/// The first thing in the new process: out of the agent's session, its signal mask and dispositions.
Result<void> leave_agent();

/// What takes the guest's root: the OOM score that is asked for, and hard limits above the agent's own. Of
/// this process (0) or another one, through the agent's own /proc.
Result<void> grant_privileges(pid_t pid, protocol::Process::Reader process);

/// Into the session keyring of this name, which is made if it is not there; empty: the agent's is kept. Once
/// it is clear which user namespace the process is in: keyrings have owners.
Result<void> join_session_keyring(const std::string& name);

/// Everything from the descriptors to the look-up of the executable, for a process that is in its container's
/// namespaces and root.
class ProcessSetup {
public:
    ProcessSetup(protocol::Process::Reader process, uint64_t personality)
        : process_(process), personality_(personality) {}

    Result<void> prepare(ProcessDescriptors& descriptors, int terminal);

    /// Loads the seccomp program where that must be last: as late as possible, so that the profile need not
    /// allow what the set-up does.
    Result<void> restrict();

    /// What the kernel refuses to execute (a bad format, a missing interpreter) ends as under runc, whose
    /// init has said by then that all is well (libcontainer/standard_init_linux.go): the words are on the
    /// process's own standard error, its exit status is 1.
    [[noreturn]] void execute();

    /// The process's, once it is prepared.
    const std::vector<std::string>& environment() const { return environment_; }

private:
    Result<void> set_scheduling();
    Result<void> set_limits();
    Result<void> load_seccomp();
    Result<void> become_user();
    Result<void> find_command();

    protocol::Process::Reader process_;
    uint64_t personality_;
    std::string executable_;
    std::vector<std::string> environment_;
};

/// The environment as execve gets it: of a name given twice the last value counts (runc sets them one after
/// the other). invalid_argument for an entry without "=".
Result<std::vector<std::string>> merge_environment(capnp::List<capnp::Text>::Reader env);

/// The value of a variable; nullptr if it is not set.
const char* find_variable(const std::vector<std::string>& environment, const std::string& name);

} // namespace runvm::agent
