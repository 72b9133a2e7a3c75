#include "../support/pipe.h"

#include "os/stream_end.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <sys/socket.h>

namespace runvm::os {
namespace {

TEST(StreamEnd, OfTheCallerDoesNotBlockAndStaysBlockingForTheCaller) {
    Pipe pipe;
    auto end = StreamEnd::shared(duplicate(pipe.reader.get()), O_RDONLY);
    ASSERT_TRUE(end);
    char byte;
    EXPECT_EQ(end->read(&byte, 1), -1);
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_EQ(::fcntl(pipe.reader.get(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_TRUE(end->pollable());
}

TEST(StreamEnd, ASocketDoesNotBlock) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    Fd other(ends[1]);
    auto end = StreamEnd::shared(Fd(ends[0]), O_RDWR);
    ASSERT_TRUE(end);
    char byte;
    EXPECT_EQ(end->read(&byte, 1), -1);
    EXPECT_EQ(errno, EAGAIN);
}

TEST(StreamEnd, AMasterOfAPseudoterminalIsNotAnotherOne) {
    Fd master(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
    ASSERT_TRUE(master);
    ASSERT_EQ(::unlockpt(master.get()), 0);
    Fd slave(::open(::ptsname(master.get()), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    ASSERT_TRUE(slave);
    auto end = StreamEnd::shared(duplicate(master.get()), O_WRONLY);
    ASSERT_TRUE(end);
    ASSERT_EQ(end->write("x\n", 2), 2);
    char line[4] = {};
    EXPECT_EQ(::read(slave.get(), line, sizeof line), 2);
    EXPECT_STREQ(line, "x\n");
}

TEST(StreamEnd, WhatEpollRefusesIsNotPollable) {
    auto null = StreamEnd::shared(Fd(::open("/dev/null", O_WRONLY | O_CLOEXEC)), O_WRONLY);
    ASSERT_TRUE(null);
    EXPECT_FALSE(null->pollable());
    auto file = StreamEnd::shared(Fd(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)), O_RDWR);
    ASSERT_TRUE(file);
    EXPECT_FALSE(file->pollable());
}

TEST(StreamEnd, OfOnesOwnShutsItsHalfDown) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    Fd other(ends[1]);
    Fd still_open = duplicate(ends[0]);
    auto end = StreamEnd::own(Fd(ends[0]));
    ASSERT_TRUE(end);
    end->close(SHUT_WR);
    char byte;
    EXPECT_EQ(::read(other.get(), &byte, 1), 0);
}

TEST(StreamEnd, NoneAndAClosedOneAreErrors) {
    EXPECT_FALSE(StreamEnd::shared(Fd(), O_RDONLY));
    char byte;
    EXPECT_EQ(StreamEnd().read(&byte, 1), -1);
    EXPECT_EQ(errno, EBADF);
}

} // namespace
} // namespace runvm::os
