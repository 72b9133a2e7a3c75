#include "agent/stdio.h"

#include <capnp/message.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace runvm::agent {
namespace {

using Direction = protocol::StreamBinding::Direction;

struct Binding {
    uint32_t fd;
    Direction direction;
    uint32_t stream;
};

Result<Stdio> make(const std::vector<Binding>& bindings, bool terminal = false) {
    capnp::MallocMessageBuilder message;
    auto process = message.initRoot<protocol::Process>();
    process.setTerminal(terminal);
    auto streams = process.initStreams(static_cast<unsigned>(bindings.size()));
    for (unsigned i = 0; i < bindings.size(); ++i) {
        streams[i].setFd(bindings[i].fd);
        streams[i].setDirection(bindings[i].direction);
        streams[i].setStream(bindings[i].stream);
    }
    return make_stdio(process);
}

TEST(MakeStdio, ConnectsEachDirection) {
    Result<Stdio> stdio =
        make({{0, Direction::TO_PROCESS, 10}, {1, Direction::FROM_PROCESS, 11}, {5, Direction::BOTH, 12}});
    ASSERT_TRUE(stdio);
    ASSERT_EQ(stdio->process_ends.size(), 3U);
    ASSERT_EQ(stdio->relay_ends.size(), 3U);
    auto carries = [](const os::Fd& from, const os::Fd& to) {
        char byte = 0;
        return ::write(from.get(), "x", 1) == 1 && ::read(to.get(), &byte, 1) == 1 && byte == 'x';
    };
    EXPECT_EQ(stdio->relay_ends[0].stream, 10U);
    EXPECT_FALSE(stdio->relay_ends[0].source);
    EXPECT_TRUE(carries(stdio->relay_ends[0].sink, stdio->process_ends[0].fd));
    EXPECT_FALSE(stdio->relay_ends[1].sink);
    EXPECT_TRUE(carries(stdio->process_ends[1].fd, stdio->relay_ends[1].source));
    EXPECT_EQ(stdio->process_ends[2].number, 5);
    EXPECT_TRUE(carries(stdio->process_ends[2].fd, stdio->relay_ends[2].source));
    EXPECT_TRUE(carries(stdio->relay_ends[2].sink, stdio->process_ends[2].fd));
}

TEST(MakeStdio, LeavesTheTerminalToTheProcess) {
    Result<Stdio> stdio = make({{0, Direction::BOTH, 7}, {3, Direction::FROM_PROCESS, 8}}, true);
    ASSERT_TRUE(stdio);
    EXPECT_EQ(stdio->terminal_stream, 7U);
    EXPECT_EQ(stdio->process_ends.size(), 1U);
}

TEST(MakeStdio, RefusesNonsense) {
    EXPECT_FALSE(make({{0, Direction::TO_PROCESS, 0}}));
    EXPECT_FALSE(make({{1, Direction::FROM_PROCESS, 1}, {1, Direction::FROM_PROCESS, 2}}));
    EXPECT_FALSE(make({{100000, Direction::FROM_PROCESS, 1}}));
    EXPECT_FALSE(make({{1, Direction::FROM_PROCESS, 1}}, true));
    EXPECT_FALSE(make({{1, Direction::BOTH, 1}}, true));
    EXPECT_FALSE(make({{0, static_cast<Direction>(9), 1}}));
    EXPECT_FALSE(make(std::vector<Binding>(65, {0, Direction::TO_PROCESS, 1})));
}

/// Runs in a child, which may do with its descriptors what it likes; 0 for success, else the line that
/// failed.
int in_child(const std::function<int()>& body) {
    pid_t pid = ::fork();
    if (pid == 0)
        ::_exit(body());
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) >= 0;
}

TEST(ProcessDescriptors, AreTheOnesAskedForAndNoOthers) {
    EXPECT_EQ(in_child([]() -> int {
                  Result<Stdio> stdio = make({{0, Direction::TO_PROCESS, 1},
                                              {1, Direction::FROM_PROCESS, 2},
                                              {4, Direction::BOTH, 3}});
                  int channel = ::open("/dev/zero", O_RDONLY);
                  int leaked = ::open("/dev/zero", O_RDONLY);
                  // The numbers wanted are taken by something else before.
                  ::dup2(leaked, 4);
                  auto descriptors = ProcessDescriptors::isolate(std::move(stdio->process_ends), {&channel});
                  if (!descriptors || !is_open(channel) || channel <= 4)
                      return 1;
                  if (!descriptors->install(-1))
                      return 2;
                  struct stat info {};
                  for (int fd : {0, 1})
                      if (::fstat(fd, &info) != 0 || !S_ISFIFO(info.st_mode))
                          return 3;
                  if (::fstat(4, &info) != 0 || !S_ISSOCK(info.st_mode))
                      return 4;
                  if (::fstat(2, &info) != 0 || info.st_rdev != makedev(1, 3))
                      return 5;
                  for (int fd = 0; fd < 100; ++fd) {
                      bool survives = is_open(fd) && (::fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
                      if (survives != (fd <= 2 || fd == 4))
                          return 10 + fd;
                  }
                  return 0;
              }),
              0);
}

TEST(ProcessDescriptors, PutATerminalOnTheFirstThree) {
    EXPECT_EQ(in_child([]() -> int {
                  int terminal = ::open("/dev/zero", O_RDWR | O_CLOEXEC);
                  auto descriptors = ProcessDescriptors::isolate({}, {&terminal});
                  if (!descriptors || !descriptors->install(terminal))
                      return 1;
                  struct stat info {};
                  for (int fd : {0, 1, 2})
                      if (::fstat(fd, &info) != 0 || info.st_rdev != makedev(1, 5))
                          return 2;
                  return 0;
              }),
              0);
}

TEST(OwnStdio, GivesPipesToTheUserButNotTheNullDevice) {
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs root";
    EXPECT_EQ(in_child([]() -> int {
                  Result<Stdio> stdio = make({{1, Direction::FROM_PROCESS, 1}});
                  auto descriptors = ProcessDescriptors::isolate(std::move(stdio->process_ends), {});
                  if (!descriptors->install(-1) || !own_stdio(1234))
                      return 1;
                  struct stat info {};
                  if (::fstat(1, &info) != 0 || info.st_uid != 1234)
                      return 2;
                  return ::fstat(0, &info) == 0 && info.st_uid == 0 ? 0 : 3;
              }),
              0);
}

} // namespace
} // namespace runvm::agent
