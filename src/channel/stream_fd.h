#pragma once
// The local ends of relayed streams: descriptors read and written without blocking, until EAGAIN, because kj
// watches edges.

#include "os/fd.h"

#include <kj/async-unix.h>
#include <kj/function.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace runvm::channel {

/// A descriptor that is read from: a pipe, a socket or a terminal's master.
class StreamSource {
public:
    /// Throws kj's exception if the descriptor cannot be watched (a regular file).
    StreamSource(kj::UnixEventPort& event_port, os::Fd fd);

    enum class Status { bytes, empty, end };
    struct Read {
        Status status;
        size_t bytes;
    };
    /// end: end-of-file, EIO of a terminal whose other side is closed, or any error that stays.
    Read read(uint8_t* buffer, size_t max_bytes);

    /// Calls `ready` once when there may be bytes again; only after read() said empty. `ready` must not
    /// destroy this.
    void when_readable(kj::Function<void()> ready);
    bool waiting() const { return waiting_; }

    /// How many bytes could be read now.
    uint64_t pending_bytes() const;
    /// Nobody reads any more: a socket's other side gets EPIPE although the descriptor's duplicate stays
    /// open.
    void shut_down();

private:
    os::Fd fd_; // outlives observer_, which takes it out of the epoll set
    kj::UnixEventPort::FdObserver observer_;
    bool waiting_ = false;
    kj::Promise<void> readable_ = nullptr;
};

/// A descriptor that is written to, with the bytes that it does not take yet.
class StreamSink {
public:
    /// `wake` is called whenever flush() should be: there may be room again, or the reader has gone. It must
    /// not destroy this. Throws kj's exception if the descriptor cannot be watched (a regular file).
    StreamSink(kj::UnixEventPort& event_port, os::Fd fd, kj::Function<void()> wake);

    /// Takes all of `bytes`: writes what it can and keeps the rest. Returns how many bytes have left our
    /// memory.
    size_t write(std::span<const uint8_t> bytes);
    /// Writes what was kept, and looks after the reader. Returns how many bytes have left our memory.
    size_t flush();
    bool empty() const { return kept_.size() == kept_written_; }
    /// The reader has gone: nothing can be written any more.
    bool broken() const { return broken_; }

    /// Ends a socket's half, which closing a duplicate does not.
    void shut_down();

private:
    size_t write_now(std::span<const uint8_t> bytes);
    void watch_room();
    void watch_reader();

    os::Fd fd_; // outlives observer_, which takes it out of the epoll set
    kj::UnixEventPort::FdObserver observer_;
    kj::Function<void()> wake_;
    std::vector<uint8_t> kept_; // the stream's window bounds it
    size_t kept_written_ = 0;
    bool waiting_ = false; // for room
    bool disconnect_seen_ = false;
    bool broken_ = false;
    kj::Promise<void> room_ = nullptr;
    kj::Promise<void> disconnected_ = nullptr;
};

} // namespace runvm::channel
