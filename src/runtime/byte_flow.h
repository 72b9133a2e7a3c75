#pragma once
// One direction of a terminal that a command carries: from a descriptor to another, as far as the other takes
// it. Nothing here ever blocks, so that signals are forwarded also while nobody reads.

#include "os/stream_end.h"

#include <poll.h>

#include <array>
#include <cstddef>
#include <utility>

namespace runvm::runtime {

class ByteFlow {
public:
    /// There is nothing to carry.
    ByteFlow() = default;
    ByteFlow(os::StreamEnd from, os::StreamEnd to) : from_(std::move(from)), to_(std::move(to)) {}

    /// What to wait for next; fd -1 where there is nothing to wait for.
    pollfd wanted() const;
    /// Moves what can be moved after poll(2) has reported on `wanted`. False once the flow is over: end of
    /// the source, or a destination that is gone.
    bool move();
    bool over() const { return from_.get() < 0 && begin_ == end_; }

private:
    bool read_some();
    bool write_some();

    os::StreamEnd from_;
    os::StreamEnd to_;
    std::array<char, 16384> buffer_{};
    size_t begin_ = 0; ///< of what has been read and not yet written
    size_t end_ = 0;
};

} // namespace runvm::runtime
