#pragma once
// The descriptors of a real event loop with a clock of the target's own.

#include <kj/async-io.h>
#include <kj/timer.h>

namespace runvm::fuzz {

/// Nobody has to wait until a timer of the monitor's socket goes off.
class SimulatedIo final : public kj::LowLevelAsyncIoProvider {
public:
    SimulatedIo(kj::LowLevelAsyncIoProvider& io, kj::Timer& timer) : io_(io), timer_(timer) {}

    kj::Own<kj::AsyncInputStream> wrapInputFd(Fd fd, kj::uint flags) override {
        return io_.wrapInputFd(fd, flags);
    }
    kj::Own<kj::AsyncOutputStream> wrapOutputFd(Fd fd, kj::uint flags) override {
        return io_.wrapOutputFd(fd, flags);
    }
    kj::Own<kj::AsyncIoStream> wrapSocketFd(Fd fd, kj::uint flags) override {
        return io_.wrapSocketFd(fd, flags);
    }
    kj::Own<kj::AsyncCapabilityStream> wrapUnixSocketFd(Fd fd, kj::uint flags) override {
        return io_.wrapUnixSocketFd(fd, flags);
    }
    kj::Promise<kj::Own<kj::AsyncIoStream>> wrapConnectingSocketFd(Fd fd, const sockaddr* address,
                                                                   kj::uint size, kj::uint flags) override {
        return io_.wrapConnectingSocketFd(fd, address, size, flags);
    }
    kj::Own<kj::ConnectionReceiver> wrapListenSocketFd(Fd fd, NetworkFilter& filter,
                                                       kj::uint flags) override {
        return io_.wrapListenSocketFd(fd, filter, flags);
    }
    kj::Timer& getTimer() override { return timer_; }

private:
    kj::LowLevelAsyncIoProvider& io_;
    kj::Timer& timer_;
};

} // namespace runvm::fuzz
