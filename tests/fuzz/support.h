#pragma once
// What the targets share that run an event loop: a fuzzed run must give back what it took, and kj must be
// quiet.

#include "os/fd.h"

#include <fuzzer/FuzzedDataProvider.h>
#include <sanitizer/allocator_interface.h>

#include <capnp/serialize-async.h>
#include <kj/async.h>
#include <kj/exception.h>
#include <kj/timer.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <iostream>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace runvm::fuzz {

inline void require(bool condition, const char* what) {
    if (condition)
        return;
    std::cerr << "violated: " << what << "\n";
    std::abort();
}

constexpr int most_descriptors = 256;

/// Once a process, before the first input.
inline void set_up_process() {
    ::signal(SIGPIPE, SIG_IGN); // as the monitor does
    rlimit descriptors{most_descriptors, most_descriptors};
    require(::setrlimit(RLIMIT_NOFILE, &descriptors) == 0, "setrlimit works");
}

inline int open_descriptors() {
    int count = 0;
    for (int fd = 0; fd < most_descriptors; ++fd)
        count += ::fcntl(fd, F_GETFD) == -1 ? 0 : 1;
    return count;
}

/// Neither end blocks.
inline std::array<os::Fd, 2> socket_pair() {
    int ends[2];
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0,
            "socketpair works");
    return {os::Fd(ends[0]), os::Fd(ends[1])};
}

/// Neither end blocks.
inline std::array<os::Fd, 2> pipe_pair() {
    int ends[2];
    require(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "pipe2 works");
    return {os::Fd(ends[0]), os::Fd(ends[1])};
}

/// The bytes of our own input count little: what is allocated beyond the start of the run is what a peer has
/// made us hold.
class MemoryLimit {
public:
    explicit MemoryLimit(size_t bytes) : most_(__sanitizer_get_current_allocated_bytes() + bytes) {}
    void check() const { require(__sanitizer_get_current_allocated_bytes() <= most_, "memory is bounded"); }

private:
    size_t most_;
};

/// Neither writes down what kj logs (a broken connection is no news here) nor gathers stack traces for it.
class QuietKj final : public kj::ExceptionCallback {
public:
    void logMessage(kj::LogSeverity, const char*, int, int, kj::String&&) override {}
    StackTraceMode stackTraceMode() override { return StackTraceMode::NONE; }
};

/// Cap'n Proto messages of which some are changed on their way to the peer: deeper than any bytes by chance
/// get.
class MangledMessages final : public capnp::MessageStream {
public:
    MangledMessages(kj::Own<capnp::MessageStream> stream, FuzzedDataProvider& choices)
        : stream_(kj::mv(stream)), choices_(choices) {}

    kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>>
    tryReadMessage(kj::ArrayPtr<kj::AutoCloseFd> fd_space, capnp::ReaderOptions options,
                   kj::ArrayPtr<capnp::word> scratch_space) override {
        return stream_->tryReadMessage(fd_space, options, scratch_space);
    }

    kj::Promise<void> writeMessage(kj::ArrayPtr<const int> fds,
                                   kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) override {
        constexpr int one_in = 8;
        if (choices_.ConsumeIntegralInRange(0, one_in - 1) != 1)
            return stream_->writeMessage(fds, segments);
        changed_ = true;
        auto copies = kj::heapArrayBuilder<kj::Array<capnp::word>>(segments.size());
        auto pointers = kj::heapArrayBuilder<const kj::ArrayPtr<const capnp::word>>(segments.size());
        for (auto segment : segments) {
            auto copy = kj::heapArray<capnp::word>(segment.size());
            auto bytes = segment.asBytes();
            std::copy(bytes.begin(), bytes.end(), copy.asBytes().begin());
            mangle(copy);
            pointers.add(copy);
            copies.add(kj::mv(copy));
        }
        auto changed = pointers.finish();
        auto written = stream_->writeMessage(fds, changed);
        return written.attach(kj::mv(changed), copies.finish());
    }

    kj::Promise<void>
    writeMessages(kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) override {
        kj::Promise<void> done = kj::READY_NOW;
        for (auto message : messages)
            done = done.then([this, message] { return writeMessage(nullptr, message); });
        return done;
    }

    kj::Maybe<int> getSendBufferSize() override { return stream_->getSendBufferSize(); }
    kj::Promise<void> end() override { return stream_->end(); }

    /// Some message was, so that nothing is sure any more of what its sender gets.
    bool changed() const { return changed_; }

private:
    void mangle(kj::ArrayPtr<capnp::word> words) {
        auto bytes = words.asBytes();
        for (int changes = choices_.ConsumeIntegralInRange(1, 4); changes > 0 && bytes.size() > 0;
             --changes) {
            size_t at = choices_.ConsumeIntegralInRange<size_t>(0, bytes.size() - 1);
            bytes[at] = choices_.ConsumeIntegral<uint8_t>();
        }
    }

    kj::Own<capnp::MessageStream> stream_;
    FuzzedDataProvider& choices_;
    bool changed_ = false;
};

} // namespace runvm::fuzz
