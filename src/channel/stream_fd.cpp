#include "channel/stream_fd.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>

namespace runvm::channel {
namespace {

constexpr size_t max_idle_capacity = 16U << 10U;

os::Fd without_blocking(os::Fd fd) {
    int flags = 0;
    KJ_SYSCALL(flags = fcntl(fd.get(), F_GETFL));
    KJ_SYSCALL(fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK));
    return fd;
}

} // namespace

StreamSource::StreamSource(kj::UnixEventPort& event_port, os::Fd fd)
    : fd_(without_blocking(std::move(fd))),
      observer_(event_port, fd_.get(), kj::UnixEventPort::FdObserver::OBSERVE_READ) {}

StreamSource::Read StreamSource::read(uint8_t* buffer, size_t max_bytes) {
    for (;;) {
        ssize_t n = ::read(fd_.get(), buffer, max_bytes);
        if (n > 0)
            return {Status::bytes, static_cast<size_t>(n)};
        if (n == 0)
            return {Status::end, 0};
        if (errno == EAGAIN)
            return {Status::empty, 0};
        if (errno != EINTR)
            return {Status::end, 0};
    }
}

void StreamSource::when_readable(kj::Function<void()> ready) {
    waiting_ = true;
    readable_ = observer_.whenBecomesReadable()
                    .then([this, ready = kj::mv(ready)]() mutable {
                        waiting_ = false;
                        ready();
                    })
                    .eagerlyEvaluate(nullptr);
}

uint64_t StreamSource::pending_bytes() const {
    int bytes = 0;
    if (ioctl(fd_.get(), FIONREAD, &bytes) != 0 || bytes < 0)
        return 0;
    return static_cast<uint64_t>(bytes);
}

void StreamSource::shut_down() {
    ::shutdown(fd_.get(), SHUT_RD);
} // ENOTSOCK for the others

StreamSink::StreamSink(kj::UnixEventPort& event_port, os::Fd fd, kj::Function<void()> wake)
    : fd_(without_blocking(std::move(fd))),
      observer_(event_port, fd_.get(), kj::UnixEventPort::FdObserver::OBSERVE_WRITE), wake_(kj::mv(wake)) {
    // Before the loop can poll: it reports a reader that has gone already on its first turn.
    watch_reader();
}

size_t StreamSink::write(std::span<const uint8_t> bytes) {
    if (broken_)
        return 0;
    size_t written = empty() ? write_now(bytes) : 0;
    if (broken_)
        return written;
    kept_.insert(kept_.end(), bytes.begin() + static_cast<ptrdiff_t>(written), bytes.end());
    return written;
}

size_t StreamSink::flush() {
    if (disconnect_seen_) {
        disconnect_seen_ = false;
        // A terminal's hang-up is over when its other side is opened again.
        pollfd state{fd_.get(), 0, 0};
        if (poll(&state, 1, 0) == 1 && (state.revents & (POLLERR | POLLHUP)) != 0)
            broken_ = true;
        else
            watch_reader();
    }
    if (broken_ || empty() || waiting_)
        return 0;
    size_t written = write_now(std::span(kept_).subspan(kept_written_));
    kept_written_ += written;
    if (empty()) {
        kept_.clear();
        kept_written_ = 0;
        if (kept_.capacity() > max_idle_capacity)
            kept_.shrink_to_fit();
    } else if (kept_written_ >= kept_.size() / 2) {
        kept_.erase(kept_.begin(), kept_.begin() + static_cast<ptrdiff_t>(kept_written_));
        kept_written_ = 0;
    }
    return written;
}

size_t StreamSink::write_now(std::span<const uint8_t> bytes) {
    size_t written = 0;
    while (written < bytes.size()) {
        ssize_t n = ::write(fd_.get(), bytes.data() + written, bytes.size() - written);
        if (n >= 0) {
            written += static_cast<size_t>(n);
        } else if (errno == EAGAIN) {
            watch_room();
            break;
        } else if (errno != EINTR) {
            broken_ = true;
            break;
        }
    }
    return written;
}

void StreamSink::watch_room() {
    waiting_ = true;
    room_ = observer_.whenBecomesWritable()
                .then([this] {
                    waiting_ = false;
                    wake_();
                })
                .eagerlyEvaluate(nullptr);
}

void StreamSink::watch_reader() {
    disconnected_ = observer_.whenWriteDisconnected()
                        .then([this] {
                            disconnect_seen_ = true;
                            wake_();
                        })
                        .eagerlyEvaluate(nullptr);
}

void StreamSink::shut_down() {
    ::shutdown(fd_.get(), SHUT_WR);
} // ENOTSOCK for the others

} // namespace runvm::channel
