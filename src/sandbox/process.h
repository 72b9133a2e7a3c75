#pragma once
// One process of a container as the monitor sees it: its streams, its end, its shim.

#include "channel/relay.h"
#include "protocol/sandbox.capnp.h"
#include "vm/machine_size.h"

#include <kj/async.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace runvm::sandbox {

/// How a process ended.
struct Exit {
    bool signaled = false;
    uint32_t value = 0; ///< exit code 0 to 255, or signal 1 to 64
    bool oom_killed = false;
    struct Stream {
        uint32_t fd;    ///< its number in the process
        uint64_t bytes; ///< what it wrote there before it ended
    };
    std::vector<Stream> streams;
};

/// The end that is reported for a process whose machine is gone.
Exit killed_with_machine();

/// What the guest says of an end, checked: a value out of range becomes 255; a stream that is not of
/// `streams`, or is named again, is dropped. `streams`: stream number to descriptor.
Exit checked_exit(protocol::ExitStatus::Reader status, const std::map<channel::StreamId, uint32_t>& streams);

void write_exit(const Exit& exit, protocol::ExitStatus::Builder out);

class Process {
public:
    Process(std::string container_id, std::string exec_id);

    const std::string container_id;
    const std::string exec_id;                     ///< empty: the container's own process
    std::map<channel::StreamId, uint32_t> streams; ///< to the descriptor's number in the process
    bool created = false;                          ///< the guest knows it
    uint32_t attached = 0;                         ///< shims
    bool told_to_end = false;                      ///< by a signal
    bool awaits_resume = false;                    ///< it will be created when its container is resumed

    bool ended() const { return exit_.has_value(); }
    const Exit& exit() const { return *exit_; }
    /// Once; later calls are ignored: the first end is the end.
    void end(Exit exit);
    kj::Promise<void> when_ended() { return ended_.addBranch(); }

private:
    explicit Process(std::string container_id, std::string exec_id, kj::PromiseFulfillerPair<void> pair);

    std::optional<Exit> exit_;
    kj::Own<kj::PromiseFulfiller<void>> fulfiller_;
    kj::ForkedPromise<void> ended_;
};

using ProcessPtr = std::shared_ptr<Process>;

struct ContainerRecord {
    std::string id;
    ProcessPtr init;
    std::map<std::string, ProcessPtr> execs;
    bool started = false;
    bool paused = false;
    bool deleting = false;
    bool told_of_oom = false;
    vm::Demand demand;
    std::vector<std::string> disks; ///< serials of those that were plugged for it
    std::vector<kj::Own<kj::PromiseFulfiller<void>>> resume_waiters; ///< also if it ends instead

    protocol::ContainerStatus::State state() const;
};

} // namespace runvm::sandbox
