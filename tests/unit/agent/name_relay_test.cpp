#include "agent/name_relay.h"

#include "channel/name_messages.h"
#include "channel/port.h"
#include "network/resolver.h"
#include "protocol/agent.capnp.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>

namespace runvm::agent {
namespace {

class NameRelayTest : public testing::Test {
protected:
    void SetUp() override {
        auto listening = relay_.listen();
        ASSERT_TRUE(listening) << listening.error().to_string();
        port_ = *listening;
    }
    ~NameRelayTest() noexcept override = default; // kj's destructors may throw; gtest's may not

    template <class T>
    T wait(kj::Promise<T> promise) {
        return io_.provider->getTimer().timeoutAfter(30 * kj::SECONDS, kj::mv(promise)).wait(io_.waitScope);
    }
    os::Fd connect(int type) const {
        os::Fd socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port_);
        address.sin_addr.s_addr = htonl(network::resolver_address);
        EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        timeval limit{30, 0};
        ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        return socket;
    }
    static void send(const os::Fd& socket, const std::string& bytes) {
        EXPECT_EQ(::send(socket.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    }
    static std::string receive(const os::Fd& socket) {
        std::string bytes(1000, '\0');
        ssize_t size = ::recv(socket.get(), bytes.data(), bytes.size(), 0);
        bytes.resize(size > 0 ? static_cast<size_t>(size) : 0);
        return bytes;
    }
    NameRelay::Query next_one() {
        auto queries = wait(relay_.next());
        EXPECT_EQ(queries.size(), 1U);
        return queries.at(0);
    }

    kj::AsyncIoContext io_ = kj::setupAsyncIo();
    NameRelay relay_{io_.unixEventPort};
    uint16_t port_ = 0;
};

TEST_F(NameRelayTest, ListensOnce) {
    auto again = relay_.listen();
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, port_);
}

TEST_F(NameRelayTest, CarriesDatagramsToWhoAsked) {
    os::Fd first = connect(SOCK_DGRAM);
    os::Fd second = connect(SOCK_DGRAM);
    send(first, "a");
    auto a = next_one();
    EXPECT_EQ(a.message, "a");
    EXPECT_FALSE(a.over_tcp);
    send(second, "b");
    auto b = next_one();
    EXPECT_EQ(b.message, "b");
    relay_.answer(b.id, "of b");
    relay_.answer(a.id, "of a");
    EXPECT_EQ(receive(first), "of a");
    EXPECT_EQ(receive(second), "of b");
}

TEST_F(NameRelayTest, CarriesOneQueryAfterAnotherOverTcp) {
    os::Fd client = connect(SOCK_STREAM);
    send(client, std::string("\0\2ab\0\1c", 7));
    auto first = next_one();
    EXPECT_EQ(first.message, "ab");
    EXPECT_TRUE(first.over_tcp);
    relay_.answer(first.id, "xyz");
    auto second = next_one();
    EXPECT_EQ(second.message, "c");
    EXPECT_EQ(receive(client), std::string("\0\3xyz", 5));
    // None: a client over TCP is told by the end.
    relay_.answer(second.id, "");
    auto rest = channel::wrap_port(io_.unixEventPort, std::move(client));
    EXPECT_EQ(wait(channel::read_name_message(*rest)), "");
}

TEST_F(NameRelayTest, DropsAnswersThatNobodyWaitsFor) {
    os::Fd client = connect(SOCK_DGRAM);
    send(client, "a");
    auto query = next_one();
    relay_.answer(query.id + 1, "of nobody");
    relay_.answer(query.id, "first");
    relay_.answer(query.id, "second");
    EXPECT_EQ(receive(client), "first");
    char byte = 0;
    EXPECT_EQ(::recv(client.get(), &byte, 1, MSG_DONTWAIT), -1);
}

TEST_F(NameRelayTest, GivesOutSoManyAtATimeAndKeepsSoMany) {
    os::Fd client = connect(SOCK_DGRAM);
    for (size_t i = 0; i < NameRelay::most_pending + 40; ++i) {
        send(client, "q");
        // So that none is lost for want of the socket's buffer.
        io_.waitScope.poll();
    }
    wait(io_.provider->getTimer().afterDelay(50 * kj::MILLISECONDS));
    size_t given = 0;
    while (given < NameRelay::most_pending) {
        auto queries = wait(relay_.next());
        EXPECT_LE(queries.size(), protocol::MAX_NAME_QUERIES);
        given += queries.size();
    }
    EXPECT_EQ(given, NameRelay::most_pending);
    EXPECT_FALSE(relay_.next().poll(io_.waitScope));
}

TEST_F(NameRelayTest, GoesOnWithTheNextSession) {
    auto lost = relay_.next();
    EXPECT_FALSE(lost.poll(io_.waitScope));
    auto next = relay_.next();
    os::Fd client = connect(SOCK_DGRAM);
    send(client, "a");
    EXPECT_EQ(wait(kj::mv(next)).at(0).message, "a");
}

} // namespace
} // namespace runvm::agent
