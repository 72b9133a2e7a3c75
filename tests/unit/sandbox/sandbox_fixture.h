#pragma once
// A sandbox over a fake machine and a fake agent.

#include "../support/fake_guest.h"

#include "sandbox/sandbox.h"

#include <capnp/message.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

namespace runvm::sandbox {

class SandboxTest : public testing::Test {
public:
    ~SandboxTest() noexcept override = default; // kj's destructors may throw; gtest's may not

protected:
    Result<void> boot() {
        capnp::MallocMessageBuilder message;
        auto config = message.initRoot<protocol::SandboxConfig>();
        config.setSandboxId("c1");
        config.setAgentTimeoutMs(agent_timeout_ms);
        return sandbox.boot(config);
    }

    template <class T>
    T wait(kj::Promise<T> promise) {
        return io.provider->getTimer().timeoutAfter(30 * kj::SECONDS, kj::mv(promise)).wait(io.waitScope);
    }

    Promised<void> begin_create(const std::string& id, bool readonly_root = false) {
        capnp::MallocMessageBuilder message;
        auto container = message.initRoot<protocol::Container>();
        container.setRootfsShare("rootfs");
        std::vector<NewShare> shares(1);
        shares[0].request.container = id;
        shares[0].request.name = "rootfs";
        shares[0].readonly_when_created = readonly_root;
        return sandbox.create_container(id, container, std::move(shares), take_output_stream());
    }

    // One stream from the process; its reading end is `output`.
    std::vector<StreamEndpoint> take_output_stream() {
        int ends[2];
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
        output = os::Fd(ends[0]);
        std::vector<StreamEndpoint> streams;
        streams.push_back({1, protocol::StreamBinding::Direction::FROM_PROCESS, os::Fd(ends[1])});
        return streams;
    }

    // epoll does not watch it.
    static std::vector<StreamEndpoint> take_null_stream() {
        std::vector<StreamEndpoint> streams;
        streams.push_back({1, protocol::StreamBinding::Direction::FROM_PROCESS,
                           os::Fd(::open("/dev/null", O_WRONLY | O_CLOEXEC))});
        return streams;
    }

    void create(const std::string& id) {
        auto created = wait(begin_create(id));
        ASSERT_TRUE(created) << created.error().to_string();
    }

    // Without streams, which would keep the sandbox after its end.
    void create_silent(const std::string& id) {
        capnp::MallocMessageBuilder message;
        auto created = wait(sandbox.create_container(id, message.initRoot<protocol::Container>(), {}, {}));
        ASSERT_TRUE(created) << created.error().to_string();
    }

    // Lets everything that can happen now happen.
    void settle() { wait(io.provider->getTimer().afterDelay(20 * kj::MILLISECONDS)); }

    uint32_t agent_timeout_ms = 30000;
    kj::AsyncIoContext io = kj::setupAsyncIo();
    AgentScript script;
    FakeMachine machine{io, script};
    std::string over;
    Sandbox sandbox{io.provider->getTimer(), machine,
                    [this](std::string reason) { over = std::move(reason); }};
    os::Fd output;
};

} // namespace runvm::sandbox
