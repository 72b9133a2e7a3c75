#pragma once
// An end of a stream that is copied without ever blocking.

#include "core/result.h"
#include "os/fd.h"

#include <sys/types.h>

#include <cstddef>

namespace runvm::os {

/// An inherited descriptor must never be set to O_NONBLOCK: the flag belongs to the open file description,
/// which the caller shares. So a pipe or terminal is opened anew through /proc/self/fd, a socket is read and
/// written with MSG_DONTWAIT, and a regular file does not block for long.
class StreamEnd {
public:
    /// None: nothing can be read from it or written to it.
    StreamEnd() = default;
    /// A descriptor of the caller's.
    static Result<StreamEnd> shared(Fd fd, int access);
    /// A descriptor that is ours alone.
    static Result<StreamEnd> own(Fd fd);

    int get() const { return fd_.get(); }
    /// By epoll(7), too.
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
    StreamEnd(Fd fd, bool own, bool is_socket, bool pollable)
        : fd_(std::move(fd)), own_(own), is_socket_(is_socket), pollable_(pollable) {}

    Fd fd_;
    bool own_ = false;
    bool is_socket_ = false;
    bool pollable_ = false;
};

} // namespace runvm::os
