#include "sandbox/agent_session.h"

#include "channel/rpc_error.h"

#include <capnp/message.h>
#include <kj/debug.h>

#include <chrono>

namespace runvm::sandbox {

namespace {

constexpr uint64_t traversal_limit_words = 512U << 10U;
constexpr uint64_t flow_limit_words = 64U << 10U;
constexpr int nesting_limit = 16;

int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

capnp::ReaderOptions reader_options() {
    capnp::ReaderOptions options;
    options.traversalLimitInWords = traversal_limit_words;
    options.nestingLimit = nesting_limit;
    return options;
}

} // namespace

AgentSession::AgentSession(kj::Own<kj::AsyncIoStream> port)
    : port_(kj::mv(port)), network_(*port_, capnp::rpc::twoparty::Side::CLIENT, reader_options()),
      rpc_(capnp::makeRpcClient(network_)) {
    rpc_.setFlowLimit(flow_limit_words);
}

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
