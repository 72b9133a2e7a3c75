#pragma once
// Two relays, as in the monitor and in the agent, over a socket pair in one loop, and the processes at their
// streams' outer ends.

#include "channel/port.h"
#include "channel/relay.h"
#include "starvation_guard.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>
#include <string>
#include <vector>

namespace runvm::channel {

struct FdPair {
    os::Fd read, write; // of a socket pair: either
};

inline FdPair make_pipe() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    return {os::Fd(ends[0]), os::Fd(ends[1])};
}

inline FdPair make_sockets() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    return {os::Fd(ends[0]), os::Fd(ends[1])};
}

inline os::Fd duplicate(const os::Fd& fd) {
    return os::duplicate(fd.get());
}

inline uint8_t pattern(StreamId stream, uint64_t offset) {
    return static_cast<uint8_t>((offset * 2654435761U) >> 13U ^ stream * 31);
}

class RelayTest : public testing::Test {
protected:
    RelayTest() {
        FdPair port = make_sockets();
        host = std::make_unique<StreamRelay>(events(), wrap_port(events(), std::move(port.read)));
        guest = std::make_unique<StreamRelay>(events(), wrap_port(events(), std::move(port.write)));
        host_run = run(*host, host_error);
        guest_run = run(*guest, guest_error);
    }

    ~RelayTest() noexcept override {} // kj's members may throw in theory

    kj::UnixEventPort& events() { return io.unixEventPort; }
    kj::Timer& timer() { return io.provider->getTimer(); }

    static kj::Promise<void> run(StreamRelay& relay, std::string& error) {
        return relay.run().eagerlyEvaluate(
            [&error](kj::Exception&& e) { error = e.getDescription().cStr(); });
    }

    template <class T>
    T wait(kj::Promise<T> promise) {
        return timer().timeoutAfter(30 * kj::SECONDS, kj::mv(promise)).wait(io.waitScope);
    }
    /// Runs until nothing is left to do: both relays and all processes are in this loop.
    void settle() { io.waitScope.poll(); }
    bool resolves_now(kj::Promise<void> promise) { return promise.poll(io.waitScope); }

    kj::Own<kj::AsyncIoStream> stream(const os::Fd& fd) { return wrap_port(events(), duplicate(fd)); }

    /// A process that writes a pattern and closes.
    kj::Promise<void> produce(StreamId id, os::Fd fd, uint64_t bytes) {
        auto end = wrap_port(events(), std::move(fd));
        auto data = kj::heapArray<kj::byte>(bytes);
        for (uint64_t i = 0; i < bytes; ++i)
            data[i] = pattern(id, i);
        auto writing = end->write(data.begin(), data.size());
        return writing.attach(kj::mv(data), kj::mv(end));
    }
    /// A process that reads to end-of-file; gives the number of bytes, all of which fit the pattern.
    kj::Promise<uint64_t> consume(StreamId id, os::Fd fd) {
        auto reader = kj::heap<Reader>(Reader{id, wrap_port(events(), std::move(fd)), {}, 0});
        auto reading = reader->read();
        return reading.attach(kj::mv(reader));
    }

    struct Reader {
        StreamId id;
        kj::Own<kj::AsyncIoStream> end;
        std::vector<uint8_t> buffer = std::vector<uint8_t>(100000);
        uint64_t total = 0;
        kj::Promise<uint64_t> read() {
            if (buffer.empty())
                buffer.resize(100000);
            return end->tryRead(buffer.data(), 1, buffer.size())
                .then([this](size_t n) -> kj::Promise<uint64_t> {
                    if (n == 0)
                        return total;
                    for (size_t i = 0; i < n; ++i, ++total) {
                        if (buffer[i] == pattern(id, total))
                            continue;
                        ADD_FAILURE() << "stream " << id << " differs at byte " << total;
                        return total;
                    }
                    return read();
                });
        }
    };

    StarvationGuard guard;
    kj::AsyncIoContext io = kj::setupAsyncIo();
    std::string host_error, guest_error;
    std::unique_ptr<StreamRelay> host, guest;
    kj::Promise<void> host_run = nullptr, guest_run = nullptr;
};

} // namespace runvm::channel
