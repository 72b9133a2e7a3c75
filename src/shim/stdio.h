#pragma once
// Copies one direction of a stream between a descriptor that we share with the caller and one that is ours
// alone.

#include "core/result.h"
#include "os/fd.h"

#include <kj/async-unix.h>
#include <kj/async.h>

#include <array>
#include <cstdint>
#include <memory>

namespace runvm::shim {

/// One end of a copy. An inherited descriptor must never be set to O_NONBLOCK: the flag belongs to the open
/// file description, which the caller shares. So a pipe or terminal is opened anew through /proc/self/fd, a
/// socket is read and written with MSG_DONTWAIT, and a regular file does not block for long.
class End {
public:
    /// A descriptor of the caller's.
    static Result<End> shared(os::Fd fd, int access);
    /// A descriptor that is ours alone.
    static Result<End> own(os::Fd fd);

    int get() const { return fd_.get(); }
    bool pollable() const { return pollable_; }
    /// As read(2) and write(2), -1 with EAGAIN instead of blocking.
    ssize_t read(void* buffer, size_t size) const;
    ssize_t write(const void* buffer, size_t size) const;
    /// A socket of our own has two halves with a descriptor each: the half that this one was is shut down, so
    /// that the monitor sees it. One of the caller's is only closed: the caller may go on with it.
    void close(int shutdown_how);
    /// For a process that goes on with plain blocking calls.
    void make_blocking() const;

private:
    End(os::Fd fd, bool own, bool is_socket, bool pollable)
        : fd_(std::move(fd)), own_(own), is_socket_(is_socket), pollable_(pollable) {}

    os::Fd fd_;
    bool own_;
    bool is_socket_;
    bool pollable_;
};

class Copy {
public:
    Copy(kj::UnixEventPort& port, End source, End sink);

    /// Runs until end-of-file of the source, or until the sink takes no more; both ends are closed then.
    kj::Promise<void> run();

    bool over() const { return over_; }
    /// What the sink has taken.
    uint64_t bytes() const { return bytes_; }
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

    End source_;
    End sink_;
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
