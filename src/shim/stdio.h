#pragma once
// Copies one direction of a stream between a descriptor that we share with the caller and one that is ours
// alone.

#include "os/stream_end.h"

#include <kj/async-unix.h>
#include <kj/async.h>

#include <array>
#include <cstdint>
#include <memory>

namespace runvm::shim {

class Copy {
public:
    Copy(kj::UnixEventPort& port, os::StreamEnd source, os::StreamEnd sink);

    /// Runs until end-of-file of the source, or until the sink takes no more; both ends are closed then.
    kj::Promise<void> run();

    bool over() const { return over_; }
    /// What the sink has taken.
    uint64_t bytes() const { return bytes_; }
    /// There is something that the sink does not take yet.
    bool waits_for_sink() const { return begin_ < end_; }
    /// Resolves once `bytes` have been taken by the sink, or the copy is over.
    kj::Promise<void> reached(uint64_t bytes);

    /// Goes on in a forked process without the event loop, until the end.
    void finish_blocking();
    /// In a forked process: lets go of the descriptors, and leaves the event loop, which is the parent's,
    /// alone.
    void abandon() const;

private:
    kj::Promise<void> step();
    kj::Promise<void> wait_readable();
    kj::Promise<void> wait_writable();
    void finish();

    os::StreamEnd source_;
    os::StreamEnd sink_;
    kj::Own<kj::UnixEventPort::FdObserver> source_observer_;
    kj::Own<kj::UnixEventPort::FdObserver> sink_observer_;
    std::unique_ptr<std::array<char, 65536>> buffer_;
    size_t begin_ = 0;
    size_t end_ = 0;
    uint64_t bytes_ = 0;
    bool over_ = false;
    bool sink_is_gone_ = false;
    uint64_t wanted_ = 0;
    kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> reached_;
};

} // namespace runvm::shim
