#pragma once
// One direction of a terminal that a command carries: from a descriptor to another, as far as the other takes
// it. Nothing here ever blocks, so that signals are forwarded also while nobody reads.

#include "os/fd.h"

#include <poll.h>

#include <array>
#include <cstddef>

namespace runvm::runtime {

class ByteFlow {
public:
    /// Both descriptors stay the caller's; -1 as `from`: there is nothing to carry. `to` must not block
    /// (nonblocking_output), unless it is a socket.
    ByteFlow(int from, int to);

    /// What to wait for next; fd -1 where there is nothing to wait for.
    pollfd wanted() const;
    /// Moves what can be moved after poll(2) has reported on `wanted`. False once the flow is over: end of
    /// the source, or a destination that is gone.
    bool move();
    bool over() const { return from_ < 0 && begin_ == end_; }

private:
    bool read_some();
    bool write_some();

    int from_;
    int to_;
    bool is_socket_ = false;
    std::array<char, 16384> buffer_{};
    size_t begin_ = 0; ///< of what has been read and not yet written
    size_t end_ = 0;
};

/// A descriptor for a pipe or terminal that does not block: with an open file of its own, because O_NONBLOCK
/// on the caller's would be seen by all who share it. None for what never blocks for long (files), and where
/// it cannot be made.
os::Fd nonblocking_output(int fd);

} // namespace runvm::runtime
