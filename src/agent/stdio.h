#pragma once
// The descriptors of a process: pipes and sockets between it and the stream port, /dev/null for the rest of
// 0, 1, 2.

#include "channel/relay.h"
#include "core/result.h"
#include "os/fd.h"
#include "protocol/common.capnp.h"

#include <optional>
#include <vector>

namespace runvm::agent {

/// The agent's side of a stream: what StreamRelay::attach is given.
struct RelayEnd {
    channel::StreamId stream = 0;
    os::Fd source; ///< empty if the process only reads
    os::Fd sink;   ///< empty if the process only writes
};

/// The process's side.
struct ProcessEnd {
    int number = 0; ///< the descriptor's number in the process
    os::Fd fd;
};

struct Stdio {
    std::vector<RelayEnd> relay_ends;
    std::vector<ProcessEnd> process_ends;
    /// The stream of the terminal, whose pair is made later, by the process in its own devpts.
    std::optional<channel::StreamId> terminal_stream;
};

/// Makes what `process.streams` asks for. invalid_argument for a binding that makes no sense.
Result<Stdio> make_stdio(protocol::Process::Reader process);

/// The relay's ends of a terminal: two duplicates of its master.
Result<RelayEnd> terminal_relay_end(channel::StreamId stream, int master);

/// In the new process, while it still is the agent's copy: all other descriptors are closed (a container must
/// not get at the agent's), and those it needs are moved out of the way of the numbers it will have.
class ProcessDescriptors {
public:
    /// `needed`, `owned`: further descriptors that stay open for the set-up, such as the channel; they change
    /// their numbers.
    static Result<ProcessDescriptors> isolate(std::vector<ProcessEnd> ends, const std::vector<int*>& needed,
                                              const std::vector<os::Fd*>& owned = {});

    /// Puts the ends at their numbers, `terminal` (if not negative) at 0, 1 and 2, /dev/null at what is left
    /// of those; everything else closes on execve.
    Result<void> install(int terminal);

private:
    std::vector<ProcessEnd> ends_;
    os::Fd null_;
};

/// Gives pipes and sockets to the root of the process's user namespace, which has no rights over what is the
/// guest's root's: runc's setupProcessPipes.
Result<void> give_ends(const std::vector<ProcessEnd>& ends, uid_t uid, gid_t gid);

/// Gives 0, 1 and 2 to the user, so that it can open /dev/stderr: runc's fixStdioPermissions.
Result<void> own_stdio(uid_t uid);

} // namespace runvm::agent
