#include "shim/stdio.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace runvm::shim {

Copy::Copy(kj::UnixEventPort& port, os::StreamEnd source, os::StreamEnd sink)
    : source_(std::move(source)), sink_(std::move(sink)) {
    using Observer = kj::UnixEventPort::FdObserver;
    if (source_.pollable())
        source_observer_ = kj::heap<Observer>(port, source_.get(), Observer::OBSERVE_READ);
    if (sink_.pollable())
        sink_observer_ = kj::heap<Observer>(port, sink_.get(), Observer::OBSERVE_WRITE);
}

kj::Promise<void> Copy::wait_readable() {
    if (source_observer_.get() == nullptr)
        return kj::evalLast([] {});
    auto readable = source_observer_->whenBecomesReadable();
    // A sink whose reader is gone is noticed although there is nothing to write: the process gets its
    // SIGPIPE.
    if (sink_observer_.get() != nullptr)
        return readable.exclusiveJoin(
            sink_observer_->whenWriteDisconnected().then([this] { sink_is_gone_ = true; }));
    return readable;
}

kj::Promise<void> Copy::wait_writable() {
    if (sink_observer_.get() == nullptr)
        return kj::evalLast([] {});
    return sink_observer_->whenBecomesWritable();
}

kj::Promise<void> Copy::run() {
    buffer_ = std::make_unique<std::array<char, 65536>>();
    return step();
}

kj::Promise<void> Copy::step() {
    if (over_)
        return kj::READY_NOW;
    if (sink_is_gone_) {
        finish();
        return kj::READY_NOW;
    }
    if (begin_ == end_) {
        ssize_t n = source_.read(buffer_->data(), buffer_->size());
        if (n < 0 && errno == EAGAIN)
            return wait_readable().then([this] { return step(); });
        if (n < 0 && errno == EINTR)
            return kj::evalLast([this] { return step(); });
        if (n <= 0) { // EIO: the terminal's other side was closed
            finish();
            return kj::READY_NOW;
        }
        begin_ = 0;
        end_ = static_cast<size_t>(n);
    }
    ssize_t n = sink_.write(buffer_->data() + begin_, end_ - begin_);
    if (n < 0 && errno == EAGAIN)
        return wait_writable().then([this] { return step(); });
    if (n < 0 && errno != EINTR) {
        finish();
        return kj::READY_NOW;
    }
    if (n > 0) {
        begin_ += static_cast<size_t>(n);
        bytes_ += static_cast<uint64_t>(n);
    }
    KJ_IF_MAYBE (fulfiller, reached_)
        if (bytes_ >= wanted_)
            (*fulfiller)->fulfill();
    return kj::evalLast([this] { return step(); });
}

void Copy::finish() {
    over_ = true;
    KJ_IF_MAYBE (fulfiller, reached_)
        (*fulfiller)->fulfill();
    source_observer_ = nullptr;
    sink_observer_ = nullptr;
    source_.close(SHUT_RD);
    sink_.close(SHUT_WR);
}

void Copy::abandon() const {
    ::close(source_.get());
    ::close(sink_.get());
}

kj::Promise<void> Copy::reached(uint64_t bytes) {
    if (over_ || bytes_ >= bytes)
        return kj::READY_NOW;
    wanted_ = bytes;
    auto pair = kj::newPromiseAndFulfiller<void>();
    reached_ = kj::mv(pair.fulfiller);
    return kj::mv(pair.promise);
}

void Copy::finish_blocking() {
    if (over_)
        return;
    source_.make_blocking();
    sink_.make_blocking();
    while (true) {
        while (begin_ < end_) {
            ssize_t n = sink_.write(buffer_->data() + begin_, end_ - begin_);
            pollfd poll{sink_.get(), POLLOUT, 0};
            if (n < 0 && errno == EAGAIN && ::poll(&poll, 1, -1) >= 0)
                continue;
            if (n < 0 && errno != EINTR)
                return;
            if (n > 0)
                begin_ += static_cast<size_t>(n);
        }
        ssize_t n = source_.read(buffer_->data(), buffer_->size());
        pollfd poll{source_.get(), POLLIN, 0};
        if (n < 0 && (errno == EINTR || (errno == EAGAIN && ::poll(&poll, 1, -1) >= 0)))
            continue;
        if (n <= 0)
            return;
        begin_ = 0;
        end_ = static_cast<size_t>(n);
    }
}

} // namespace runvm::shim
