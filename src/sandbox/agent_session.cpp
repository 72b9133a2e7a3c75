#include "sandbox/agent_session.h"

#include "channel/rpc_error.h"
#include "core/time.h"

#include <capnp/message.h>
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

// Anything else costs memory for as long as the guest likes: a bootstrap is kept until its sender is done
// with it, an unknown message is sent back when the guest reads. An agent has nothing to ask of its host.
void require_answer(capnp::rpc::Message::Reader message) {
    using Message = capnp::rpc::Message;
    KJ_REQUIRE(message.which() == Message::RETURN || message.which() == Message::ABORT,
               "the guest sent something that is no answer");
}

} // namespace

AgentSession::AgentSession(kj::Own<kj::AsyncIoStream> port)
    : port_(kj::mv(port)), answers_(*port_, require_answer),
      network_(answers_, capnp::rpc::twoparty::Side::CLIENT, reader_options()),
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
