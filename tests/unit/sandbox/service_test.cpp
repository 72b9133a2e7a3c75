// The monitor's socket.

#include "../support/fake_guest.h"
#include "../support/few_descriptors.h"

#include "sandbox/service.h"

#include <capnp/rpc-twoparty.h>
#include <gtest/gtest.h>
#include <sys/un.h>
#include <unistd.h>

namespace runvm::sandbox {
namespace {

class ServiceTest : public testing::Test {
public:
    ~ServiceTest() noexcept override = default; // kj's destructors may throw; gtest's may not

protected:
    // A socket with an abstract name of the kernel's choice.
    void SetUp() override {
        os::Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        address.sun_family = AF_UNIX;
        ASSERT_EQ(::bind(listener.get(), as_sockaddr(), sizeof(sa_family_t)), 0);
        ASSERT_EQ(::getsockname(listener.get(), as_sockaddr(), &address_size), 0);
        ASSERT_EQ(::listen(listener.get(), 10), 0);
        server.listen(std::move(listener));
    }

    sockaddr* as_sockaddr() { return reinterpret_cast<sockaddr*>(&address); }

    os::Fd connect() {
        os::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(::connect(socket.get(), as_sockaddr(), address_size), 0);
        return socket;
    }

    /// Runs the server while the process may have only `count` descriptors more.
    void accept_with_free_descriptors(rlim_t count) {
        test::FewDescriptors few(count);
        io.waitScope.poll();
    }

    void expect_an_answer(os::Fd caller) {
        auto stream = io.lowLevelProvider->wrapSocketFd(kj::AutoCloseFd(caller.release()));
        capnp::TwoPartyClient client(*stream);
        auto service = client.bootstrap().castAs<protocol::SandboxService>();
        auto answered = service.listSandboxesRequest().send().ignoreResult();
        io.provider->getTimer().timeoutAfter(30 * kj::SECONDS, kj::mv(answered)).wait(io.waitScope);
    }

    kj::AsyncIoContext io = kj::setupAsyncIo();
    AgentScript script;
    FakeMachine machine{io, script};
    Sandbox sandbox{io.provider->getTimer(), machine, [](const std::string&) {}};
    Server server{sandbox, *io.lowLevelProvider};
    sockaddr_un address{};
    socklen_t address_size = sizeof address;
};

TEST_F(ServiceTest, ServesAgainAfterItWasOutOfDescriptors) {
    os::Fd caller = connect();
    accept_with_free_descriptors(0);
    expect_an_answer(std::move(caller));
}

TEST_F(ServiceTest, ServesAgainAfterItTookTheLastDescriptor) {
    os::Fd first = connect();
    accept_with_free_descriptors(1);
    expect_an_answer(std::move(first));
    expect_an_answer(connect());
}

class JoinTest : public ServiceTest {
protected:
    void SetUp() override {
        ServiceTest::SetUp();
        capnp::MallocMessageBuilder message;
        auto config = message.initRoot<protocol::SandboxConfig>();
        config.setSandboxId("c1");
        ASSERT_TRUE(sandbox.boot(config));
        create("c1");
        ASSERT_TRUE(sandbox.commit("c1"));
    }

    struct Connection {
        explicit Connection(kj::Own<kj::AsyncIoStream> opened) : stream(kj::mv(opened)) {}
        kj::Own<kj::AsyncIoStream> stream;
        capnp::TwoPartyClient client{*stream};
        protocol::Sandbox::Client sandbox =
            client.bootstrap().castAs<protocol::SandboxService>().fetchSandboxRequest().send().getSandbox();
    };
    kj::Own<Connection> connected() {
        return kj::heap<Connection>(io.lowLevelProvider->wrapSocketFd(kj::AutoCloseFd(connect().release())));
    }

    void join(Connection& connection, const char* id) {
        auto request = connection.sandbox.joinRequest();
        request.setId(id);
        EXPECT_FALSE(request.send().wait(io.waitScope).getError().getFailed()) << id;
        create(id);
    }

    void commit(Connection& connection, const char* id) {
        auto request = connection.sandbox.commitRequest();
        request.setId(id);
        EXPECT_FALSE(request.send().wait(io.waitScope).getError().getFailed()) << id;
    }

    void create(const char* id) {
        capnp::MallocMessageBuilder message;
        EXPECT_TRUE(wait(sandbox.create_container(id, message.initRoot<protocol::Container>(), {}, {})));
    }

    bool has(const char* id) { return sandbox.containers().count(id) == 1; }
    void settle() { io.provider->getTimer().afterDelay(20 * kj::MILLISECONDS).wait(io.waitScope); }
    Result<void> wait(Promised<void> promise) {
        return io.provider->getTimer().timeoutAfter(30 * kj::SECONDS, kj::mv(promise)).wait(io.waitScope);
    }
};

TEST_F(JoinTest, AConnectionThatIsLostTakesTheContainersItHasNotCommitted) {
    auto connection = connected();
    join(*connection, "kept");
    join(*connection, "lost");
    commit(*connection, "kept");
    // A call that has no answer yet keeps its object.
    auto request = connection->sandbox.waitProcessRequest();
    request.setId("c1");
    auto pending = request.send();
    settle();
    connection = nullptr;
    settle();
    EXPECT_TRUE(has("c1"));
    EXPECT_TRUE(has("kept"));
    EXPECT_FALSE(has("lost"));
}

TEST_F(JoinTest, WhatIsCommittedIsNotItsConnectionsAnyMore) {
    auto first = connected();
    join(*first, "c2");
    commit(*first, "c2");
    ASSERT_TRUE(wait(sandbox.delete_container("c2")));
    auto second = connected();
    join(*second, "c2");
    first = nullptr;
    settle();
    EXPECT_TRUE(has("c2"));
    second = nullptr;
    settle();
    EXPECT_FALSE(has("c2"));
}

} // namespace
} // namespace runvm::sandbox
