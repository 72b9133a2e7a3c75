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

TEST_F(ServiceTest, AConnectionThatIsLostTakesTheContainersItHasNotCommitted) {
    capnp::MallocMessageBuilder message;
    auto config = message.initRoot<protocol::SandboxConfig>();
    config.setSandboxId("c1");
    ASSERT_TRUE(sandbox.boot(config));
    capnp::MallocMessageBuilder made;
    auto create = [&](const std::string& id) {
        return io.provider->getTimer()
            .timeoutAfter(30 * kj::SECONDS,
                          sandbox.create_container(id, made.initRoot<protocol::Container>(), {}, {}))
            .wait(io.waitScope)
            .ok();
    };
    ASSERT_TRUE(create("c1"));
    ASSERT_TRUE(sandbox.commit("c1"));
    {
        auto stream = io.lowLevelProvider->wrapSocketFd(kj::AutoCloseFd(connect().release()));
        capnp::TwoPartyClient client(*stream);
        auto service = client.bootstrap().castAs<protocol::SandboxService>();
        auto sandbox_client = service.fetchSandboxRequest().send().getSandbox();
        for (const char* id : {"kept", "lost"}) {
            auto join = sandbox_client.joinRequest();
            join.setId(id);
            EXPECT_FALSE(join.send().wait(io.waitScope).getError().getFailed());
            ASSERT_TRUE(create(id));
        }
        auto commit = sandbox_client.commitRequest();
        commit.setId("kept");
        EXPECT_FALSE(commit.send().wait(io.waitScope).getError().getFailed());
    }
    io.provider->getTimer().afterDelay(20 * kj::MILLISECONDS).wait(io.waitScope);
    EXPECT_EQ(sandbox.containers().count("kept"), 1U);
    EXPECT_EQ(sandbox.containers().count("lost"), 0U);
    EXPECT_EQ(sandbox.containers().count("c1"), 1U);
}

} // namespace
} // namespace runvm::sandbox
