#pragma once
// Disks of the host that are plugged for a container (linux.devices of type b).

#include "core/result.h"
#include "protocol/common.capnp.h"

#include <capnp/message.h>
#include <kj/async.h>
#include <kj/timer.h>

#include <sys/types.h>

#include <map>
#include <string>

namespace runvm::agent {

class Disks {
public:
    /// `initial_root` has the driver's module. It must outlive this.
    Disks(kj::Timer& timer, int initial_root) : timer_(timer), initial_root_(initial_root) {}

    /// The same container with the numbers that its disks have in this guest, in its devices and in the rules
    /// that name them. A disk may have been plugged just now: it is waited for.
    kj::Promise<Result<kj::Own<capnp::MessageBuilder>>> resolve(protocol::Container::Reader container);

    static bool are_in(protocol::Container::Reader container);

private:
    using Numbers = std::map<std::string, dev_t>; ///< by serial
    kj::Promise<Result<Numbers>> find(Numbers wanted, kj::TimePoint deadline);

    kj::Timer& timer_;
    int initial_root_;
};

} // namespace runvm::agent
