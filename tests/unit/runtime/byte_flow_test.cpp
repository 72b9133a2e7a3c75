#include "../support/pipe.h"

#include "runtime/byte_flow.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace runvm::runtime {
namespace {

// As the ends are that a caller has given us.
ByteFlow flow_between(const os::Fd& from, const os::Fd& to) {
    auto end = [](const os::Fd& fd, int access) {
        return *os::StreamEnd::shared(os::duplicate(fd.get()), access);
    };
    return {end(from, O_RDONLY), end(to, O_WRONLY)};
}

bool is_ready(pollfd wanted) {
    return ::poll(&wanted, 1, 0) > 0;
}

TEST(ByteFlow, CarriesToTheEnd) {
    Pipe in;
    Pipe out;
    ByteFlow flow = flow_between(in.reader, out.writer);
    ASSERT_EQ(::write(in.writer.get(), "hello", 5), 5);
    in.writer.reset();
    while (!flow.over() && is_ready(flow.wanted()))
        flow.move();
    EXPECT_TRUE(flow.over());
    EXPECT_EQ(flow.wanted().fd, -1);
    char text[10] = {};
    EXPECT_EQ(::read(out.reader.get(), text, sizeof text), 5);
    EXPECT_STREQ(text, "hello");
}

TEST(ByteFlow, WaitsForAReaderThatReadsNothing) {
    Pipe in;
    Pipe out;
    ByteFlow flow = flow_between(in.reader, out.writer);
    ASSERT_EQ(::fcntl(out.writer.get(), F_GETFL) & O_NONBLOCK, 0) << "the caller's stays as it is";
    ::fcntl(in.writer.get(), F_SETFL, O_NONBLOCK);
    std::string lump(1U << 20U, 'x');
    size_t sent = 0;
    size_t received = 0;
    while (sent < lump.size()) { // never blocks, or this test never ends
        ssize_t n = ::write(in.writer.get(), lump.data() + sent, lump.size() - sent);
        if (n > 0)
            sent += static_cast<size_t>(n);
        if (is_ready(flow.wanted())) {
            ASSERT_TRUE(flow.move());
        } else {
            EXPECT_EQ(flow.wanted().events, POLLOUT);
            char buffer[4096];
            received += static_cast<size_t>(::read(out.reader.get(), buffer, sizeof buffer));
        }
    }
    EXPECT_GT(received, lump.size() / 2);
}

TEST(ByteFlow, IsOverWhenNobodyReadsAnyMore) {
    ::signal(SIGPIPE, SIG_IGN);
    Pipe in;
    Pipe out;
    ByteFlow flow = flow_between(in.reader, out.writer);
    out.reader.reset();
    ASSERT_EQ(::write(in.writer.get(), "x", 1), 1);
    EXPECT_TRUE(flow.move());
    EXPECT_FALSE(flow.move());
    EXPECT_TRUE(flow.over());
}

TEST(ByteFlow, ASocketIsNotBlockedOn) {
    Pipe in;
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    os::Fd ours(ends[0]);
    os::Fd theirs(ends[1]);
    ByteFlow flow = flow_between(in.reader, ours);
    std::string lump(4096, 'x');
    for (int i = 0; i < 1000; ++i) {
        if (is_ready({in.writer.get(), POLLOUT, 0})) {
            ASSERT_EQ(::write(in.writer.get(), lump.data(), lump.size()), 4096);
        }
        flow.move();
    }
    EXPECT_FALSE(is_ready(flow.wanted())) << "it is full";
}

TEST(ByteFlow, OfNothingIsOver) {
    ByteFlow flow;
    EXPECT_TRUE(flow.over());
    EXPECT_EQ(flow.wanted().fd, -1);
}

} // namespace
} // namespace runvm::runtime
