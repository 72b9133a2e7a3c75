#include "sandbox/resolver_query.h"

#include "channel/name_messages.h"
#include "channel/port.h"

#include <gtest/gtest.h>
#include <kj/async-io.h>
#include <sys/socket.h>

namespace runvm::sandbox {
namespace {

class ResolverQuery : public testing::Test {
protected:
    ~ResolverQuery() noexcept override = default; // kj's destructors may throw; gtest's may not

    void connect(int type) {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
        client_ = os::Fd(ends[0]);
        resolver_ = os::Fd(ends[1]);
    }
    auto ask(const std::string& message, bool over_tcp) {
        return query_resolver(io_.unixEventPort, std::move(client_), message, over_tcp);
    }
    template <class T>
    T wait(kj::Promise<T> promise) {
        return io_.provider->getTimer().timeoutAfter(30 * kj::SECONDS, kj::mv(promise)).wait(io_.waitScope);
    }

    kj::AsyncIoContext io_ = kj::setupAsyncIo();
    os::Fd client_;
    os::Fd resolver_;
};

TEST_F(ResolverQuery, GoesAndComesAsADatagram) {
    connect(SOCK_DGRAM);
    auto answer = ask("query", false);
    EXPECT_FALSE(answer.poll(io_.waitScope));
    std::string got(100, '\0');
    ASSERT_EQ(::recv(resolver_.get(), got.data(), got.size(), 0), 5);
    EXPECT_EQ(got.substr(0, 5), "query");
    ASSERT_EQ(::send(resolver_.get(), "answer", 6, 0), 6);
    auto answered = wait(kj::mv(answer));
    ASSERT_TRUE(answered) << answered.error().to_string();
    EXPECT_EQ(*answered, "answer");
}

TEST_F(ResolverQuery, GoesAndComesOverTcp) {
    connect(SOCK_STREAM);
    auto stream = channel::wrap_port(io_.unixEventPort, std::move(resolver_));
    std::string large(channel::largest_name_message, 'x');
    auto answer = ask("query", true);
    EXPECT_EQ(wait(channel::read_name_message(*stream)), "query");
    auto written = channel::write_name_message(*stream, large).eagerlyEvaluate(nullptr);
    auto answered = wait(kj::mv(answer));
    ASSERT_TRUE(answered) << answered.error().to_string();
    EXPECT_EQ(*answered, large);
}

TEST_F(ResolverQuery, IsWithoutAnAnswerWhenTheResolverIsGone) {
    connect(SOCK_STREAM);
    resolver_.reset();
    auto answered = wait(ask("query", true));
    EXPECT_TRUE(!answered || answered->empty());
    connect(SOCK_DGRAM);
    resolver_.reset();
    EXPECT_FALSE(wait(ask("query", false)));
}

} // namespace
} // namespace runvm::sandbox
