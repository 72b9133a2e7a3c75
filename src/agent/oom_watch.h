#pragma once
// Tells when the kernel has killed a process of a cgroup for want of memory.

#include "os/fd.h"

#include <kj/async-unix.h>

#include <cstdint>

namespace runvm::agent {

class OomWatch {
public:
    /// `memory_events`: that file of the cgroup.
    OomWatch(kj::UnixEventPort& event_port, os::Fd memory_events);

    /// The number of processes killed, once it is more than `seen`. This must outlive the promise.
    kj::Promise<uint64_t> more_than(uint64_t seen);

    uint64_t kills() const;

private:
    kj::Promise<void> changed();

    os::Fd file_;
    kj::UnixEventPort::FdObserver observer_;
    kj::Maybe<kj::ForkedPromise<void>> change_;
    bool has_changed_ = true; ///< `change_` is over
};

} // namespace runvm::agent
