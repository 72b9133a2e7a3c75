#include "sandbox/agent_session.h"

#include "channel/rpc_error.h"
#include "core/time.h"

#include <capnp/message.h>
#include <capnp/rpc.capnp.h>
#include <kj/debug.h>

namespace runvm::sandbox {

namespace {

constexpr uint64_t traversal_limit_words = 512U << 10U;
constexpr int nesting_limit = 16;

capnp::ReaderOptions reader_options() {
    capnp::ReaderOptions options;
    options.traversalLimitInWords = traversal_limit_words;
    options.nestingLimit = nesting_limit;
    return options;
}

} // namespace

// Lets only answers in. Anything else costs memory for as long as the guest likes: a bootstrap is kept until
// its sender is done with it, an unknown message is sent back when the guest reads. An agent has nothing to
// ask of its host.
class AgentSession::Answers final : public capnp::MessageStream {
public:
    explicit Answers(kj::AsyncIoStream& port) : messages_(port) {}

    kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>>
    tryReadMessage(kj::ArrayPtr<kj::AutoCloseFd> fd_space, capnp::ReaderOptions options,
                   kj::ArrayPtr<capnp::word> scratch_space) override {
        return messages_.tryReadMessage(fd_space, options, scratch_space)
            .then([](kj::Maybe<capnp::MessageReaderAndFds>&& message) {
                KJ_IF_MAYBE (read, message) {
                    using Message = capnp::rpc::Message;
                    auto kind = read->reader->getRoot<Message>().which();
                    KJ_REQUIRE(kind == Message::RETURN || kind == Message::ABORT,
                               "the guest sent something that is no answer");
                }
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
};

AgentSession::AgentSession(kj::Own<kj::AsyncIoStream> port)
    : port_(kj::mv(port)), answers_(kj::heap<Answers>(*port_)),
      network_(*answers_, capnp::rpc::twoparty::Side::CLIENT, reader_options()),
      rpc_(capnp::makeRpcClient(network_)) {}

AgentSession::~AgentSession() noexcept = default; // kj's destructors may throw; ours may not

kj::Promise<protocol::Agent::Client> AgentSession::greet() {
    capnp::MallocMessageBuilder message(8);
    auto vat = message.initRoot<capnp::rpc::twoparty::VatId>();
    vat.setSide(capnp::rpc::twoparty::Side::SERVER);
    auto agent = rpc_.bootstrap(vat).castAs<protocol::Agent>();
    auto hello = agent.helloRequest();
    hello.setProtocolVersion(protocol::AGENT_PROTOCOL_VERSION);
    hello.setHostTimeNs(now_ns());
    return hello.send().then(
        [agent = kj::mv(agent)](capnp::Response<protocol::Agent::HelloResults>&& answer) mutable {
            if (auto greeted = channel::to_result(answer.getError()); !greeted)
                KJ_FAIL_REQUIRE("the agent refused the session", greeted.error().to_string().c_str());
            KJ_REQUIRE(answer.getProtocolVersion() == protocol::AGENT_PROTOCOL_VERSION,
                       "the agent speaks another version of the protocol; rebuild the guest image");
            return kj::mv(agent);
        });
}

} // namespace runvm::sandbox
