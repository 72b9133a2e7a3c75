#include "channel/caller_stream.h"

#include <kj/io.h>

namespace runvm::channel {

namespace {

using Bytes = kj::ArrayPtr<const kj::byte>;
using Pieces = kj::ArrayPtr<const Bytes>;

/// Ends as well where the peer has gone.
template <class Write>
kj::Promise<void> unless_gone(Write write) {
    // kj throws from the call itself when the first attempt fails.
    return kj::evalNow(write).catch_([](kj::Exception&& exception) {
        if (exception.getType() != kj::Exception::Type::DISCONNECTED)
            kj::throwFatalException(kj::mv(exception));
    });
}

class CallerStream final : public kj::AsyncCapabilityStream {
public:
    explicit CallerStream(kj::Own<kj::AsyncCapabilityStream> inner) : inner_(kj::mv(inner)) {}

    kj::Promise<void> write(const void* buffer, size_t size) override {
        return unless_gone([&] { return inner_->write(buffer, size); });
    }
    kj::Promise<void> write(Pieces pieces) override {
        return unless_gone([&] { return inner_->write(pieces); });
    }
    kj::Promise<void> writeWithFds(Bytes data, Pieces more_data, kj::ArrayPtr<const int> fds) override {
        return unless_gone([&] { return inner_->writeWithFds(data, more_data, fds); });
    }
    kj::Promise<void> writeWithStreams(Bytes data, Pieces more_data,
                                       kj::Array<kj::Own<kj::AsyncCapabilityStream>> streams) override {
        return unless_gone([&] { return inner_->writeWithStreams(data, more_data, kj::mv(streams)); });
    }

    kj::Promise<size_t> tryRead(void* buffer, size_t min_bytes, size_t max_bytes) override {
        return inner_->tryRead(buffer, min_bytes, max_bytes);
    }
    kj::Promise<ReadResult> tryReadWithFds(void* buffer, size_t min_bytes, size_t max_bytes,
                                           kj::AutoCloseFd* fds, size_t max_fds) override {
        return inner_->tryReadWithFds(buffer, min_bytes, max_bytes, fds, max_fds);
    }
    kj::Promise<ReadResult> tryReadWithStreams(void* buffer, size_t min_bytes, size_t max_bytes,
                                               kj::Own<kj::AsyncCapabilityStream>* streams,
                                               size_t max_streams) override {
        return inner_->tryReadWithStreams(buffer, min_bytes, max_bytes, streams, max_streams);
    }

    kj::Promise<void> whenWriteDisconnected() override { return inner_->whenWriteDisconnected(); }
    void shutdownWrite() override { inner_->shutdownWrite(); }
    void abortRead() override { inner_->abortRead(); }

private:
    kj::Own<kj::AsyncCapabilityStream> inner_;
};

} // namespace

kj::Own<kj::AsyncCapabilityStream> caller_stream(kj::LowLevelAsyncIoProvider& provider, os::Fd socket) {
    return kj::heap<CallerStream>(provider.wrapUnixSocketFd(kj::AutoCloseFd(socket.release())));
}

} // namespace runvm::channel
