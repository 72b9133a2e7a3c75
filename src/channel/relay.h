#pragma once
// Carries the stdio of processes over one port, both in the monitor and in the agent: each stream ties local
// descriptors (pipe ends, a terminal, a socket) to a number on the wire. Frames and credit are
// channel/mux.h's.

#include "channel/mux.h"
#include "os/fd.h"

#include <kj/async-io.h>
#include <kj/async-unix.h>

#include <cstdint>
#include <memory>

namespace runvm::channel {

class StreamRelay {
public:
    /// `port` has gone through its handshake. `event_port` watches the local descriptors.
    StreamRelay(kj::UnixEventPort& event_port, kj::Own<kj::AsyncIoStream> port);
    ~StreamRelay();

    /// Starts to carry a stream. What is read from `source` is sent, and its end-of-file (or EIO of a
    /// terminal) is passed on once; what is received is written to `sink`, which is closed when the peer
    /// ended its half. When the sink's reader is gone (EPIPE), the peer is told and its source is closed.
    /// Either descriptor may be empty; for a terminal or socket pass two duplicates (a socket's half is then
    /// shut down, not only closed). Both are made non-blocking: they must be ours alone. Both sides attach a
    /// stream, in any order; nothing is sent before each knows that the other has. Throws kj's exception for
    /// a descriptor that cannot be watched (epoll takes no regular file and no /dev/null), and for an id that
    /// is attached.
    void attach(StreamId id, os::Fd source, os::Fd sink);

    /// The number of bytes the stream will have sent once all that now waits in its source has been read.
    /// A terminal's is exact only after its other side was closed.
    uint64_t bytes_promised(StreamId id) const;

    /// Resolves when both halves are over: everything was sent or received and written, or the stream was
    /// detached. After it detach loses nothing; before that the peer never learns of it.
    kj::Promise<void> ended(StreamId id);

    /// Forgets a stream; its descriptors are closed and frames for it are ignored.
    void detach(StreamId id);

    /// Moves the bytes; fails when the port breaks or the peer violates the protocol (more than its credit, a
    /// frame too long), which names what was violated. Streams stay as they are then: destroy the relay. To
    /// be called once; destroying the relay fails it too.
    kj::Promise<void> run();

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace runvm::channel
