#include "channel/handshake.h"

#include "channel/handshake_scanner.h"
#include "channel/port.h"
#include "starvation_guard.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <numeric>
#include <random>
#include <string>

namespace runvm::channel {
namespace {

using Bytes = std::vector<uint8_t>;

Nonce nonce_of(uint8_t first) {
    Nonce nonce;
    std::iota(nonce.begin(), nonce.end(), first);
    return nonce;
}

Bytes operator+(Bytes left, const Bytes& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

/// Feeds the scanner as a reader does that never reads too much. Returns how many bytes it took.
size_t scan(HandshakeScanner& scanner, const Bytes& bytes, std::mt19937* random = nullptr) {
    size_t taken = 0;
    while (scanner.wanted() > 0 && taken < bytes.size()) {
        size_t piece = std::min(scanner.wanted(), bytes.size() - taken);
        if (random != nullptr)
            piece = std::uniform_int_distribution<size_t>(1, piece)(*random);
        scanner.feed(std::span(bytes).subspan(taken, piece));
        taken += piece;
    }
    return taken;
}

TEST(HandshakeScanner, takes_exactly_the_message) {
    Bytes request = handshake_request(PortRole::control, nonce_of(10));
    auto scanner = HandshakeScanner::for_request(PortRole::control);
    EXPECT_EQ(scan(scanner, request + Bytes(100, 'x')), request.size());
    EXPECT_EQ(scanner.nonce(), nonce_of(10));
}

TEST(HandshakeScanner, finds_it_behind_anything_at_any_split) {
    std::mt19937 random(1);
    Bytes request = handshake_request(PortRole::streams, nonce_of(40));
    Bytes magic(request.begin(), request.begin() + 8);
    for (int round = 0; round < 2000; ++round) {
        Bytes garbage;
        while (random() % 4 != 0) {
            switch (random() % 4) {
            case 0: // a false start of any length, even of a whole request that breaks off
                garbage = garbage + Bytes(request.begin(), request.begin() + random() % request.size());
                break;
            case 1:
                garbage = garbage + magic;
                break;
            default:
                for (unsigned i = random() % 60; i > 0; --i)
                    garbage.push_back(static_cast<uint8_t>(random()));
            }
        }
        auto scanner = HandshakeScanner::for_request(PortRole::streams);
        size_t taken = scan(scanner, garbage + request + Bytes(60, 0), &random);
        ASSERT_EQ(scanner.wanted(), 0U) << "round " << round;
        ASSERT_EQ(taken, garbage.size() + request.size()) << "round " << round;
        ASSERT_EQ(scanner.nonce(), nonce_of(40));
    }
}

TEST(HandshakeScanner, ignores_other_roles_and_nonces) {
    auto request = HandshakeScanner::for_request(PortRole::streams);
    scan(request, handshake_request(PortRole::control, nonce_of(1)));
    EXPECT_GT(request.wanted(), 0U);
    scan(request, handshake_request(PortRole::streams, nonce_of(3)));
    EXPECT_EQ(request.wanted(), 0U);

    auto answer = HandshakeScanner::for_answer(PortRole::streams, nonce_of(1));
    scan(answer,
         handshake_answer(PortRole::streams, nonce_of(2)) + handshake_answer(PortRole::control, nonce_of(1)));
    EXPECT_GT(answer.wanted(), 0U);
    scan(answer, handshake_answer(PortRole::streams, nonce_of(1)));
    EXPECT_EQ(answer.wanted(), 0U);
}

struct Ports {
    StarvationGuard guard;
    kj::AsyncIoContext io = kj::setupAsyncIo();
    kj::Own<kj::AsyncIoStream> host, guest;
    Ports() {
        int ends[2];
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        host = wrap_port(io.unixEventPort, os::Fd(ends[0]));
        guest = wrap_port(io.unixEventPort, os::Fd(ends[1]));
    }
    template <class T>
    T wait(kj::Promise<T> promise) {
        return io.provider->getTimer().timeoutAfter(20 * kj::SECONDS, kj::mv(promise)).wait(io.waitScope);
    }
    bool fails(kj::Promise<void> promise) {
        bool failed = false;
        wait(promise.catch_([&failed](kj::Exception&&) { failed = true; }));
        return failed;
    }
};

TEST(Handshake, both_agree_and_the_session_starts_clean) {
    Ports ports;
    // What a dead session left, more than the sockets' buffers hold on the way to the host.
    Bytes stale = handshake_answer(PortRole::control, nonce_of(99)) + Bytes(1U << 20U, 'z');
    auto stale_to_guest = Bytes(3000, 'y');
    ports.wait(ports.host->write(stale_to_guest.data(), stale_to_guest.size()));
    auto stale_to_host = ports.guest->write(stale.data(), stale.size());

    auto host = handshake_host(*ports.host, PortRole::control, nonce_of(5));
    auto guest = stale_to_host.then([&] { return handshake_guest(*ports.guest, PortRole::control); })
                     .then([&](Nonce nonce) { // the guest's session starts right behind its answer
                         EXPECT_EQ(nonce, nonce_of(5));
                         return ports.guest->write("from guest", 10);
                     })
                     .eagerlyEvaluate(nullptr);
    ports.wait(kj::mv(host));
    ports.wait(kj::mv(guest));
    char text[20] = {};
    EXPECT_EQ(ports.wait(ports.host->tryRead(text, 1, sizeof text)), 10U);
    EXPECT_STREQ(text, "from guest");
    ports.wait(ports.host->write("from host", 9));
    char other[20] = {};
    EXPECT_EQ(ports.wait(ports.guest->tryRead(other, 1, sizeof other)), 9U);
    EXPECT_STREQ(other, "from host");
}

TEST(Handshake, fails_when_the_port_closes) {
    {
        Ports ports;
        ports.guest = nullptr;
        EXPECT_TRUE(ports.fails(handshake_host(*ports.host, PortRole::control, nonce_of(1))));
    }
    {
        Ports ports;
        ports.wait(ports.host->write("half a request", 14));
        ports.host = nullptr;
        EXPECT_TRUE(ports.fails(handshake_guest(*ports.guest, PortRole::control).ignoreResult()));
    }
}

TEST(Handshake, a_flood_of_garbage_does_not_keep_the_limit_from_firing) {
    Ports ports;
    Bytes garbage(1U << 16U, 0x9d);
    std::function<kj::Promise<void>()> flood = [&]() -> kj::Promise<void> {
        return ports.guest->write(garbage.data(), garbage.size()).then([&] { return flood(); });
    };
    auto flooding = flood().eagerlyEvaluate(nullptr);
    auto handshake = handshake_host(*ports.host, PortRole::control, nonce_of(1));
    auto limited = ports.io.provider->getTimer().timeoutAfter(50 * kj::MILLISECONDS, kj::mv(handshake));
    EXPECT_TRUE(ports.fails(kj::mv(limited)));
}

} // namespace
} // namespace runvm::channel
