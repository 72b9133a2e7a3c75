#include "channel/caller_stream.h"

#include "os/file.h"
#include "protocol/sandbox.capnp.h"

#include <capnp/rpc-twoparty.h>
#include <gtest/gtest.h>
#include <kj/io.h>
#include <sys/socket.h>

#include <string>
#include <thread>

namespace runvm::channel {
namespace {

struct Sockets {
    os::Fd caller, monitor;
    Sockets() {
        int ends[2];
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        caller = os::Fd(ends[0]);
        monitor = os::Fd(ends[1]);
    }
};

TEST(CallerStream, reads_the_last_words_after_a_write_to_nobody) {
    auto io = kj::setupAsyncIo();
    Sockets sockets;
    ASSERT_TRUE(os::write_all(sockets.monitor.get(), "last words", "the socket"));
    sockets.monitor.reset();
    auto stream = caller_stream(*io.lowLevelProvider, std::move(sockets.caller));
    stream->write("thanks", 6).wait(io.waitScope);
    char words[64];
    size_t size = stream->tryRead(words, 1, sizeof words).wait(io.waitScope);
    EXPECT_EQ(std::string(words, size), "last words");
    EXPECT_EQ(stream->tryRead(words, 1, sizeof words).wait(io.waitScope), 0U);
}

TEST(CallerStream, hides_no_other_error) {
    auto io = kj::setupAsyncIo();
    Sockets sockets;
    auto stream = caller_stream(*io.lowLevelProvider, std::move(sockets.caller));
    const int no_descriptor = 1 << 20;
    auto written =
        stream->writeWithFds(kj::StringPtr("x").asBytes(), nullptr, kj::arrayPtr(&no_descriptor, 1));
    EXPECT_THROW(written.wait(io.waitScope), kj::Exception);
}

class Sandbox final : public protocol::Sandbox::Server {
public:
    explicit Sandbox(unsigned& answered) : answered_(answered) {}
    kj::Promise<void> resume(ResumeContext) override {
        ++answered_;
        return kj::READY_NOW;
    }

private:
    unsigned& answered_;
};

class Service final : public protocol::SandboxService::Server {
public:
    explicit Service(unsigned& answered) : answered_(answered) {}
    kj::Promise<void> fetchSandbox(FetchSandboxContext context) override {
        context.getResults().setSandbox(kj::heap<Sandbox>(answered_));
        return kj::READY_NOW;
    }

private:
    unsigned& answered_;
};

/// Answers what is called, the pipelined call last, and is gone.
void answer_and_leave(os::Fd socket) {
    auto io = kj::setupAsyncIo();
    unsigned answered = 0;
    auto stream = io.lowLevelProvider->wrapUnixSocketFd(kj::AutoCloseFd(socket.release()));
    capnp::TwoPartyServer server(kj::heap<Service>(answered));
    server.accept(kj::mv(stream), 1);
    while (answered == 0) {
        io.waitScope.poll();
        io.provider->getTimer().afterDelay(1 * kj::MILLISECONDS).wait(io.waitScope);
    }
    io.provider->getTimer().afterDelay(50 * kj::MILLISECONDS).wait(io.waitScope);
}

// As a loaded machine has it: the monitor ended while its caller did not get to run.
TEST(CallerStream, brings_every_answer_of_a_monitor_that_has_ended) {
    auto io = kj::setupAsyncIo();
    Sockets sockets;
    auto stream = caller_stream(*io.lowLevelProvider, std::move(sockets.caller));
    capnp::TwoPartyClient client(*stream, 1);
    auto service = client.bootstrap().castAs<protocol::SandboxService>();
    auto answer = service.fetchSandboxRequest().send().getSandbox().resumeRequest().send();
    io.waitScope.poll();
    std::thread(answer_and_leave, std::move(sockets.monitor)).join();
    EXPECT_FALSE(answer.wait(io.waitScope).getError().getFailed());
}

} // namespace
} // namespace runvm::channel
