#include "channel/port.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <vector>

namespace runvm::channel {
namespace {

// A port that is always ready would keep kj's loop from ever polling its other descriptors and timers: after
// this much without a wait the next call lets the loop poll once.
constexpr size_t max_bytes_a_turn = 512U << 10U;
constexpr unsigned max_calls_a_turn = 32;

/// What read(2) or write(2) left in errno, as the exception that kj's own streams throw.
kj::Exception io_exception(const char* call, int errno_value) {
    bool gone = errno_value == EPIPE || errno_value == ECONNRESET || errno_value == ENODEV ||
                errno_value == EIO || errno_value == ENOTCONN || errno_value == ETIMEDOUT;
    return {gone ? kj::Exception::Type::DISCONNECTED : kj::Exception::Type::FAILED, __FILE__, __LINE__,
            kj::str("port: ", call, ": ", strerror(errno_value))};
}

// kj's interfaces have no virtual destructor: a kj::Own knows the class that it destroys.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
class Port final : public kj::AsyncIoStream {
public:
    Port(kj::UnixEventPort& event_port, os::Fd fd)
        : event_port_(event_port), fd_(std::move(fd)),
          observer_(event_port, fd_.get(), kj::UnixEventPort::FdObserver::OBSERVE_READ_WRITE) {}

    kj::Promise<size_t> tryRead(void* buffer, size_t min_bytes, size_t max_bytes) override {
        auto* bytes = static_cast<uint8_t*>(buffer);
        if (!read_turn_.exhausted())
            return read_some(bytes, min_bytes, max_bytes, 0);
        return let_loop_poll(read_turn_).then([this, bytes, min_bytes, max_bytes] {
            return read_some(bytes, min_bytes, max_bytes, 0);
        });
    }

    kj::Promise<void> write(const void* buffer, size_t size) override {
        single_piece_ = kj::arrayPtr(static_cast<const kj::byte*>(buffer), size);
        return write(kj::arrayPtr(&single_piece_, 1));
    }

    kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
        unwritten_.clear();
        first_unwritten_ = 0;
        for (auto piece : pieces)
            if (piece.size() > 0)
                unwritten_.push_back({const_cast<kj::byte*>(piece.begin()), piece.size()});
        if (!write_turn_.exhausted())
            return write_rest();
        return let_loop_poll(write_turn_).then([this] { return write_rest(); });
    }

    kj::Promise<void> whenWriteDisconnected() override {
        KJ_IF_MAYBE (fork, disconnected_)
            return fork->addBranch();
        auto fork = observer_.whenWriteDisconnected().fork();
        auto branch = fork.addBranch();
        disconnected_ = kj::mv(fork);
        return branch;
    }

    // A character device has no half to shut: the call fails with ENOTSOCK, and there is nothing to do.
    void shutdownWrite() override { ::shutdown(fd_.get(), SHUT_WR); }
    void abortRead() override { ::shutdown(fd_.get(), SHUT_RD); }
    kj::Maybe<int> getFd() const override { return fd_.get(); }

private:
    /// How much was done since the loop could last poll.
    struct Turn {
        size_t bytes = 0;
        unsigned calls = 0;
        bool exhausted() { return bytes >= max_bytes_a_turn || ++calls > max_calls_a_turn; }
    };

    kj::Promise<void> let_loop_poll(Turn& turn) {
        turn = {};
        return event_port_.getTimer().afterDelay(0 * kj::NANOSECONDS);
    }

    // Both loops go on until EAGAIN or until they have enough: only after EAGAIN does epoll report an edge.
    // (A virtio port gives one buffer of 4 KiB a read: drivers/char/virtio_console.c, fill_readbuf.)
    kj::Promise<size_t> read_some(uint8_t* bytes, size_t min_bytes, size_t max_bytes, size_t done) {
        while (done < max_bytes) {
            ssize_t n = ::read(fd_.get(), bytes + done, max_bytes - done);
            if (n > 0) {
                done += static_cast<size_t>(n);
                read_turn_.bytes += static_cast<size_t>(n);
            } else if (n == 0) {
                break;
            } else if (errno == EAGAIN) {
                if (done >= min_bytes)
                    break;
                read_turn_ = {};
                return observer_.whenBecomesReadable().then([this, bytes, min_bytes, max_bytes, done] {
                    return read_some(bytes, min_bytes, max_bytes, done);
                });
            } else if (errno != EINTR) {
                return io_exception("read", errno);
            }
        }
        return done;
    }

    kj::Promise<void> write_rest() {
        while (first_unwritten_ < unwritten_.size()) {
            size_t count = std::min<size_t>(unwritten_.size() - first_unwritten_, IOV_MAX);
            ssize_t n = ::writev(fd_.get(), unwritten_.data() + first_unwritten_, static_cast<int>(count));
            if (n >= 0) {
                write_turn_.bytes += static_cast<size_t>(n);
                drop_written(static_cast<size_t>(n));
            } else if (errno == EAGAIN) {
                write_turn_ = {};
                return observer_.whenBecomesWritable().then([this] { return write_rest(); });
            } else if (errno != EINTR) {
                return io_exception("write", errno);
            }
        }
        return kj::READY_NOW;
    }

    void drop_written(size_t n) {
        while (n > 0) {
            iovec& piece = unwritten_[first_unwritten_];
            size_t part = std::min(n, piece.iov_len);
            piece.iov_base = static_cast<char*>(piece.iov_base) + part;
            piece.iov_len -= part;
            n -= part;
            if (piece.iov_len == 0)
                ++first_unwritten_;
        }
    }

    kj::UnixEventPort& event_port_;
    os::Fd fd_; // outlives observer_, which takes it out of the epoll set
    kj::UnixEventPort::FdObserver observer_;
    kj::Maybe<kj::ForkedPromise<void>> disconnected_;
    Turn read_turn_;
    Turn write_turn_;
    kj::ArrayPtr<const kj::byte> single_piece_;
    std::vector<iovec> unwritten_; // of the write under way; there is one at a time
    size_t first_unwritten_ = 0;
};
#pragma GCC diagnostic pop

} // namespace

kj::Own<kj::AsyncIoStream> wrap_port(kj::UnixEventPort& event_port, os::Fd fd) {
    int flags = 0;
    KJ_SYSCALL(flags = fcntl(fd.get(), F_GETFL));
    KJ_SYSCALL(fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK));
    return kj::heap<Port>(event_port, std::move(fd));
}

} // namespace runvm::channel
