// What is made on the host before a process starts: streams, terminals, pid files.

#include "runtime/creation.h"
#include "runtime/host_terminal.h"
#include "runtime/process_streams.h"

#include "os/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace runvm::runtime {
namespace {

using Direction = protocol::StreamBinding::Direction;
using testing::HasSubstr;

// Puts a descriptor at number 3 for the time of a test.
class AtThree {
public:
    explicit AtThree(int fd) : before_(::fcntl(3, F_DUPFD_CLOEXEC, 100)) {
        ::dup2(fd, 3);
        ::fcntl(3, F_SETFD, 0); // as after execve, also if it was there already
    }
    AtThree(const AtThree&) = delete;
    AtThree& operator=(const AtThree&) = delete;
    ~AtThree() {
        ::close(3);
        if (before_ >= 0)
            ::dup2(before_, 3);
        if (before_ >= 0)
            ::close(before_);
    }

private:
    int before_;
};

TEST(ProcessStreams, StdioIsThreePipes) {
    auto streams = make_streams(false, 0);
    ASSERT_TRUE(streams);
    ASSERT_EQ(streams->size(), 3U);
    EXPECT_EQ((*streams)[0].direction, Direction::TO_PROCESS);
    EXPECT_EQ((*streams)[1].direction, Direction::FROM_PROCESS);
    EXPECT_EQ((*streams)[2].process_fd, 2U);
    ASSERT_EQ(::write((*streams)[0].shim_end.get(), "in", 2), 2);
    char buffer[4];
    EXPECT_EQ(::read((*streams)[0].monitor_end.get(), buffer, sizeof buffer), 2);
    ASSERT_EQ(::write((*streams)[1].monitor_end.get(), "out", 3), 3);
    EXPECT_EQ(::read((*streams)[1].shim_end.get(), buffer, sizeof buffer), 3);
}

TEST(ProcessStreams, ATerminalIsOneStreamOfBothWays) {
    auto streams = make_streams(true, 0);
    ASSERT_TRUE(streams);
    ASSERT_EQ(streams->size(), 1U);
    EXPECT_EQ((*streams)[0].caller_fd, -1);
    EXPECT_EQ((*streams)[0].direction, Direction::BOTH);
}

TEST(ProcessStreams, PreservedPipesGoTheirWay) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    {
        AtThree reader(ends[0]);
        auto streams = make_streams(false, 1);
        ASSERT_TRUE(streams) << streams.error().to_string();
        EXPECT_EQ(streams->back().direction, Direction::TO_PROCESS);
        EXPECT_EQ(streams->back().process_fd, 3U);
    }
    AtThree writer(ends[1]);
    auto streams = make_streams(false, 1);
    ASSERT_TRUE(streams);
    EXPECT_EQ(streams->back().direction, Direction::FROM_PROCESS);
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST(ProcessStreams, WhatCannotBeRelayedIsRefusedByItsNumber) {
    os::Fd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
    {
        AtThree at(file.get());
        auto streams = make_streams(false, 1);
        ASSERT_FALSE(streams);
        EXPECT_EQ(streams.error().kind(), ErrorKind::unsupported);
        EXPECT_THAT(streams.error().to_string(), HasSubstr("preserved descriptor 3"));
    }
    os::Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::listen(listener.get(), 1), -1) << "not bound";
    os::Fd datagrams(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    AtThree at(datagrams.get());
    EXPECT_FALSE(make_streams(false, 1));
}

TEST(ProcessStreams, WhatWeOpenedOurselvesWasNotOpen) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    {
        AtThree at(ends[0]);
        ASSERT_EQ(::fcntl(3, F_SETFD, FD_CLOEXEC), 0);
        auto checked = check_streams(false, 1);
        ASSERT_FALSE(checked);
        EXPECT_EQ(checked.error().to_string(), "preserved descriptor 3 is not open");
    }
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST(HostTerminal, HasTheSizeThatWasAskedFor) {
    auto terminal = open_terminal(24, 80);
    ASSERT_TRUE(terminal) << terminal.error().to_string();
    winsize size{};
    ASSERT_EQ(::ioctl(terminal->slave.get(), TIOCGWINSZ, &size), 0);
    EXPECT_EQ(size.ws_row, 24);
    EXPECT_EQ(size.ws_col, 80);
    EXPECT_THAT(terminal->name, HasSubstr("/dev/pts/"));
}

TEST(HostTerminal, AConsoleSocketThatIsNotThereIsNamed) {
    auto terminal = open_terminal(0, 0);
    ASSERT_TRUE(terminal);
    auto sent = send_master(*terminal, "/nonexistent/console.sock");
    ASSERT_FALSE(sent);
    EXPECT_THAT(sent.error().to_string(), HasSubstr("/nonexistent/console.sock"));
}

TEST(PidFile, HoldsDigitsOnly) {
    std::string path = "/tmp/runvm-pid-file-test." + std::to_string(::getpid());
    ASSERT_TRUE(write_pid_file(path, 4711));
    EXPECT_EQ(*os::read_file(path), "4711");
    ::unlink(path.c_str());
    EXPECT_TRUE(write_pid_file("", 1)) << "none was asked for";
    EXPECT_FALSE(write_pid_file("/nonexistent/pid", 1));
}

} // namespace
} // namespace runvm::runtime
