// The host's side of the control port against an agent that keeps to the protocol, and one that does not.

#include "channel/port.h"
#include "sandbox/agent_session.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <optional>

namespace runvm::sandbox {
namespace {

class Agent final : public protocol::Agent::Server {
public:
    explicit Agent(uint32_t version) : version_(version) {}
    kj::Promise<void> hello(HelloContext context) override {
        context.getResults().setProtocolVersion(version_);
        return kj::READY_NOW;
    }
    kj::Promise<void> ping(PingContext) override { return kj::READY_NOW; }

private:
    uint32_t version_;
};

struct Guest {
    Guest(kj::Own<kj::AsyncIoStream> connected, uint32_t version)
        : port(kj::mv(connected)), network(*port, capnp::rpc::twoparty::Side::SERVER),
          rpc(capnp::makeRpcServer(network, protocol::Agent::Client(kj::heap<Agent>(version)))) {}

    capnp::Capability::Client ask_the_host() {
        capnp::MallocMessageBuilder message(8);
        auto vat = message.initRoot<capnp::rpc::twoparty::VatId>();
        vat.setSide(capnp::rpc::twoparty::Side::CLIENT);
        return rpc.bootstrap(vat);
    }

    kj::Own<kj::AsyncIoStream> port;
    capnp::TwoPartyVatNetwork network;
    capnp::RpcSystem<capnp::rpc::twoparty::VatId> rpc;
};

class AgentSessionTest : public testing::Test {
public:
    ~AgentSessionTest() noexcept override = default; // kj's destructors may throw; gtest's may not

protected:
    void connect(uint32_t version) {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        guest.emplace(channel::wrap_port(io.unixEventPort, os::Fd(ends[1])), version);
        session.emplace(channel::wrap_port(io.unixEventPort, os::Fd(ends[0])));
    }

    template <class T>
    T wait(kj::Promise<T> promise) {
        return io.provider->getTimer().timeoutAfter(30 * kj::SECONDS, kj::mv(promise)).wait(io.waitScope);
    }

    kj::AsyncIoContext io = kj::setupAsyncIo();
    std::optional<Guest> guest;
    std::optional<AgentSession> session;
};

TEST_F(AgentSessionTest, GreetsAndCalls) {
    connect(protocol::AGENT_PROTOCOL_VERSION);
    auto agent = wait(session->greet());
    wait(agent.pingRequest().send().ignoreResult());
}

TEST_F(AgentSessionTest, RefusesAnotherVersion) {
    connect(protocol::AGENT_PROTOCOL_VERSION + 1);
    EXPECT_THROW(wait(session->greet()), kj::Exception);
}

TEST_F(AgentSessionTest, EndsWithAGuestThatAsksItsHost) {
    connect(protocol::AGENT_PROTOCOL_VERSION);
    auto agent = wait(session->greet());
    auto host = guest->ask_the_host();
    wait(guest->network.onDisconnect());
    EXPECT_THROW(wait(agent.pingRequest().send().ignoreResult()), kj::Exception);
}

} // namespace
} // namespace runvm::sandbox
