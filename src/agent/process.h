#pragma once
// One process of a container as the agent keeps it, from its birth until the host has forgotten it.

#include "channel/relay.h"
#include "os/fd.h"
#include "protocol/common.capnp.h"

#include <kj/async.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace runvm::agent {

/// How a process ended.
struct Exit {
    bool signaled = false;
    uint32_t value = 0; ///< the exit code, or the signal's number
    bool oom_killed = false;
    struct Stream {
        channel::StreamId stream = 0;
        uint64_t bytes = 0;
    };
    std::vector<Stream> streams;

    static Exit from_wait_status(int status);
    void write(protocol::ExitStatus::Builder out) const;
};

struct Container;

class Process {
public:
    Process(pid_t pid, os::Fd pidfd, std::weak_ptr<Container> container, std::string exec_id);

    const pid_t pid; ///< in the agent's pid namespace
    const os::Fd pidfd;
    const std::weak_ptr<Container> container;
    const std::string exec_id; ///< empty: the container's own process

    os::Fd terminal;      ///< a duplicate of the master, for its size; closed at the end
    uint64_t session = 0; ///< that its streams belong to
    std::vector<channel::StreamId> output_streams;
    std::vector<channel::StreamId> input_streams; ///< those without output
    std::optional<int> wait_status;               ///< set once it has been reaped

    /// Set once the end is complete: see Agent.wait.
    const std::optional<Exit>& exit() const { return exit_; }
    void end(Exit exit);
    kj::Promise<void> when_ended() { return ended_.addBranch(); }

private:
    Process(pid_t pid, os::Fd pidfd, std::weak_ptr<Container> container, std::string exec_id,
            kj::PromiseFulfillerPair<void> pair);

    std::optional<Exit> exit_;
    kj::Own<kj::PromiseFulfiller<void>> fulfiller_;
    kj::ForkedPromise<void> ended_;
};

using ProcessPtr = std::shared_ptr<Process>;

} // namespace runvm::agent
