#include "channel/port.h"

#include "starvation_guard.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <kj/debug.h>
#include <pty.h>
#include <sys/socket.h>
#include <termios.h>

#include <functional>
#include <vector>

namespace runvm::channel {
namespace {

struct Loop {
    StarvationGuard guard;
    kj::AsyncIoContext io = kj::setupAsyncIo();
    kj::Timer& timer = io.provider->getTimer();
    template <class T>
    T wait(kj::Promise<T> promise) {
        return timer.timeoutAfter(20 * kj::SECONDS, kj::mv(promise)).wait(io.waitScope);
    }
    kj::Own<kj::AsyncIoStream> wrap(os::Fd fd) { return wrap_port(io.unixEventPort, std::move(fd)); }
};

struct Pair : Loop {
    kj::Own<kj::AsyncIoStream> left, right;
    Pair() {
        int ends[2];
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        left = wrap(os::Fd(ends[0]));
        right = wrap(os::Fd(ends[1]));
    }
};

std::vector<uint8_t> numbers(size_t count) {
    std::vector<uint8_t> bytes(count);
    for (size_t i = 0; i < count; ++i)
        bytes[i] = static_cast<uint8_t>(i * 7 + i / 251);
    return bytes;
}

TEST(Port, makes_the_descriptor_non_blocking) {
    Pair pair;
    int fd = KJ_ASSERT_NONNULL(pair.left->getFd());
    EXPECT_NE(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

TEST(Port, carries_more_than_the_buffers_hold) {
    Pair pair;
    auto sent = numbers(3U << 20U);
    std::vector<uint8_t> received(sent.size());
    auto writing = pair.left->write(sent.data(), sent.size()).eagerlyEvaluate(nullptr);
    EXPECT_EQ(pair.wait(pair.right->tryRead(received.data(), received.size(), received.size())), sent.size());
    pair.wait(kj::mv(writing));
    EXPECT_EQ(received, sent);
}

TEST(Port, gathers_pieces) {
    Pair pair;
    auto sent = numbers(900000);
    std::vector<kj::ArrayPtr<const kj::byte>> pieces;
    for (size_t at = 0, size = 0; at < sent.size(); at += size, size = (size * 3 + 1) % 701) // empty ones too
        pieces.emplace_back(sent.data() + at, std::min(size, sent.size() - at));
    pieces.emplace_back(sent.data(), 1);
    std::vector<uint8_t> received(sent.size());
    size_t total = 0;
    for (auto piece : pieces)
        total += piece.size();
    auto writing = pair.left->write(kj::arrayPtr(pieces.data(), pieces.size())).eagerlyEvaluate(nullptr);
    received.resize(total);
    EXPECT_EQ(pair.wait(pair.right->tryRead(received.data(), total, total)), total);
    pair.wait(kj::mv(writing));
    EXPECT_EQ(received.back(), sent[0]);
    received.pop_back();
    sent.resize(received.size());
    EXPECT_EQ(received, sent);
}

TEST(Port, a_read_takes_all_that_is_there_but_no_more_than_asked) {
    Pair pair;
    pair.wait(pair.left->write("0123456789", 10));
    char text[20] = {};
    EXPECT_EQ(pair.wait(pair.right->tryRead(text, 1, 4)), 4U);
    EXPECT_EQ(pair.wait(pair.right->tryRead(text, 1, sizeof text)), 6U);
}

TEST(Port, end_of_file_is_zero_bytes) {
    Pair pair;
    pair.wait(pair.left->write("ab", 2));
    pair.left->shutdownWrite();
    char text[20];
    EXPECT_EQ(pair.wait(pair.right->tryRead(text, 3, sizeof text)), 2U)
        << "fewer than the least: end-of-file";
    EXPECT_EQ(pair.wait(pair.right->tryRead(text, 1, sizeof text)), 0U);
}

TEST(Port, a_broken_port_is_a_disconnected_exception) {
    Pair pair;
    auto disconnected = pair.right->whenWriteDisconnected();
    pair.left = nullptr;
    pair.wait(kj::mv(disconnected));
    auto type = kj::Exception::Type::FAILED;
    pair.wait(pair.right->write("x", 1).catch_([&type](kj::Exception&& e) { type = e.getType(); }));
    EXPECT_EQ(type, kj::Exception::Type::DISCONNECTED);
}

TEST(Port, works_for_a_character_device_that_gives_little_a_read) {
    // A terminal in raw mode gives at most 4 KiB a read, like a virtio port its buffers.
    Loop loop;
    int master = -1, slave = -1;
    termios raw{};
    cfmakeraw(&raw);
    ASSERT_EQ(openpty(&master, &slave, nullptr, &raw, nullptr), 0);
    auto left = loop.wrap(os::Fd(master));
    auto right = loop.wrap(os::Fd(slave));
    auto sent = numbers(300000);
    std::vector<uint8_t> received(sent.size());
    auto writing = left->write(sent.data(), sent.size()).eagerlyEvaluate(nullptr);
    EXPECT_EQ(loop.wait(right->tryRead(received.data(), received.size(), received.size())), sent.size());
    loop.wait(kj::mv(writing));
    EXPECT_EQ(received, sent);
}

TEST(Port, a_dropped_read_loses_nothing) {
    Pair pair;
    char text[4] = {};
    { auto dropped = pair.right->tryRead(text, 1, sizeof text); }
    pair.wait(pair.left->write("abc", 3));
    EXPECT_EQ(pair.wait(pair.right->tryRead(text, 3, 3)), 3U);
    EXPECT_STREQ(text, "abc");
}

TEST(Port, two_ports_that_are_always_ready_let_timers_fire) {
    // Writer and reader wake each other in one turn after another, so without a pause kj would never poll.
    Pair pair;
    std::vector<uint8_t> out(1000), in(1000);
    std::function<kj::Promise<void>()> write = [&] {
        return pair.left->write(out.data(), out.size()).then([&] { return write(); });
    };
    std::function<kj::Promise<void>()> read = [&] {
        return pair.right->tryRead(in.data(), in.size(), in.size()).then([&](size_t) { return read(); });
    };
    auto writing = write().eagerlyEvaluate(nullptr);
    auto reading = read().eagerlyEvaluate(nullptr);
    pair.timer.afterDelay(20 * kj::MILLISECONDS).wait(pair.io.waitScope); // or the test's own time limit
}

} // namespace
} // namespace runvm::channel
