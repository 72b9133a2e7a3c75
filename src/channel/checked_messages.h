#pragma once
// Cap'n Proto's messages over a port, each looked at before the RPC system gets it.

#include <capnp/rpc.capnp.h>
#include <capnp/serialize-async.h>
#include <kj/async-io.h>
#include <kj/function.h>

namespace runvm::channel {

class CheckedMessages final : public capnp::MessageStream {
public:
    /// `check` throws when a message that came in breaks the session.
    CheckedMessages(kj::AsyncIoStream& port, kj::Function<void(capnp::rpc::Message::Reader)> check)
        : messages_(port), check_(kj::mv(check)) {}

    kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>>
    tryReadMessage(kj::ArrayPtr<kj::AutoCloseFd> fd_space, capnp::ReaderOptions options,
                   kj::ArrayPtr<capnp::word> scratch_space) override {
        return messages_.tryReadMessage(fd_space, options, scratch_space)
            .then([this](kj::Maybe<capnp::MessageReaderAndFds>&& message) {
                KJ_IF_MAYBE (read, message)
                    check_(read->reader->getRoot<capnp::rpc::Message>());
                return kj::mv(message);
            });
    }
    kj::Promise<void> writeMessage(kj::ArrayPtr<const int> fds,
                                   kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) override {
        return messages_.writeMessage(fds, segments);
    }
    kj::Promise<void>
    writeMessages(kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) override {
        return messages_.writeMessages(messages);
    }
    kj::Maybe<int> getSendBufferSize() override { return messages_.getSendBufferSize(); }
    kj::Promise<void> end() override { return messages_.end(); }

private:
    capnp::AsyncIoMessageStream messages_;
    kj::Function<void(capnp::rpc::Message::Reader)> check_;
};

} // namespace runvm::channel
