// Copies between the caller's descriptors and the monitor's pipes.

#include "../support/pipe.h"

#include "shim/stdio.h"

#include <gtest/gtest.h>
#include <kj/async-io.h>

#include <array>
#include <csignal>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace runvm::shim {
namespace {

class CopyTest : public testing::Test {
public:
    CopyTest() { ::signal(SIGPIPE, SIG_IGN); }
    ~CopyTest() noexcept override = default; // kj's destructors may throw; gtest's may not

protected:
    void wait(kj::Promise<void> promise) {
        io.provider->getTimer().timeoutAfter(30 * kj::SECONDS, kj::mv(promise)).wait(io.waitScope);
    }
    // From `callers` to `ours`, as for a process's stdin.
    Copy to_process() {
        return {io.unixEventPort, *os::StreamEnd::shared(std::move(callers.reader), O_RDONLY),
                *os::StreamEnd::own(std::move(ours.writer))};
    }
    // From `ours` to `callers`, as for its stdout.
    Copy from_process() {
        return {io.unixEventPort, *os::StreamEnd::own(std::move(ours.reader)),
                *os::StreamEnd::shared(std::move(callers.writer), O_WRONLY)};
    }
    static std::string read_all(int fd) {
        std::string data;
        std::array<char, 4096> chunk;
        for (ssize_t n; (n = ::read(fd, chunk.data(), chunk.size())) > 0;)
            data.append(chunk.data(), n);
        return data;
    }

    kj::AsyncIoContext io = kj::setupAsyncIo();
    Pipe callers;
    Pipe ours;
};

TEST_F(CopyTest, PassesBytesAndTheEnd) {
    Copy copy = to_process();
    ASSERT_EQ(::write(callers.writer.get(), "hello", 5), 5);
    callers.writer.reset();
    wait(copy.run());
    EXPECT_TRUE(copy.over());
    EXPECT_EQ(copy.bytes(), 5U);
    EXPECT_EQ(read_all(ours.reader.get()), "hello");
}

TEST_F(CopyTest, LeavesTheCallersDescriptorBlocking) {
    int reader = ::dup(callers.reader.get());
    Copy copy = to_process();
    callers.writer.reset();
    wait(copy.run());
    EXPECT_EQ(::fcntl(reader, F_GETFL) & O_NONBLOCK, 0);
    ::close(reader);
}

TEST_F(CopyTest, ASinkWithoutReaderEndsItAlthoughNothingIsWritten) {
    Copy copy = from_process();
    auto running = copy.run().eagerlyEvaluate(nullptr);
    wait(io.provider->getTimer().afterDelay(20 * kj::MILLISECONDS));
    EXPECT_FALSE(copy.over());
    callers.reader.reset();
    wait(kj::mv(running));
    EXPECT_TRUE(copy.over());
}

TEST_F(CopyTest, ReachedWaitsForTheCallerToTakeTheBytes) {
    Copy copy = from_process();
    ASSERT_EQ(::fcntl(ours.writer.get(), F_SETPIPE_SZ, 1 << 20), 1 << 20);
    std::string data(300'000, 'x'); // more than the caller's pipe holds
    ASSERT_EQ(::write(ours.writer.get(), data.data(), data.size()), static_cast<ssize_t>(data.size()));
    auto running = copy.run().eagerlyEvaluate(nullptr);
    bool reached = false;
    auto all = copy.reached(data.size()).then([&] { reached = true; }).eagerlyEvaluate(nullptr);
    wait(io.provider->getTimer().afterDelay(20 * kj::MILLISECONDS));
    EXPECT_FALSE(reached);
    EXPECT_LT(copy.bytes(), data.size());

    ::fcntl(callers.reader.get(), F_SETFL, O_NONBLOCK);
    size_t taken = 0;
    while (!reached) {
        taken += read_all(callers.reader.get()).size();
        wait(io.provider->getTimer().afterDelay(1 * kj::MILLISECONDS));
    }
    taken += read_all(callers.reader.get()).size();
    EXPECT_EQ(taken, data.size());
    EXPECT_FALSE(copy.over()) << "the process still holds its end";
}

TEST_F(CopyTest, ASocketOfTheCallersIsNotShutDown) {
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    int callers_own = ::dup(pair[1]);
    Copy copy(io.unixEventPort, *os::StreamEnd::own(std::move(ours.reader)),
              *os::StreamEnd::shared(os::Fd(pair[1]), O_WRONLY));
    ASSERT_EQ(::write(ours.writer.get(), "a", 1), 1);
    ours.writer.reset();
    wait(copy.run());
    ASSERT_EQ(::write(callers_own, "b", 1), 1) << "the caller goes on with its socket";
    ::close(callers_own);
    EXPECT_EQ(read_all(pair[0]), "ab");
    ::close(pair[0]);
}

TEST_F(CopyTest, RegularFilesAndDevNullWork) {
    os::Fd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    Copy copy(io.unixEventPort, *os::StreamEnd::own(std::move(ours.reader)),
              *os::StreamEnd::shared(std::move(null), O_WRONLY));
    ASSERT_EQ(::write(ours.writer.get(), "gone", 4), 4);
    ours.writer.reset();
    wait(copy.run());
    EXPECT_EQ(copy.bytes(), 4U);

    Pipe more;
    os::Fd file(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC | O_APPEND, 0600));
    int view = ::dup(file.get());
    Copy to_file(io.unixEventPort, *os::StreamEnd::own(std::move(more.reader)),
                 *os::StreamEnd::shared(std::move(file), O_WRONLY));
    ASSERT_EQ(::write(more.writer.get(), "kept", 4), 4);
    more.writer.reset();
    wait(to_file.run());
    std::array<char, 8> buffer{};
    EXPECT_EQ(::pread(view, buffer.data(), buffer.size(), 0), 4);
    ::close(view);
}

TEST_F(CopyTest, FinishesInAForkedProcess) {
    Copy copy = from_process();
    ASSERT_EQ(::write(ours.writer.get(), "first", 5), 5);
    auto running = copy.run().eagerlyEvaluate(nullptr);
    wait(copy.reached(5));
    pid_t child = ::fork();
    if (child == 0) {
        ours.writer.reset();
        copy.finish_blocking();
        ::_exit(0);
    }
    running = kj::READY_NOW;
    ASSERT_EQ(::write(ours.writer.get(), "second", 6), 6);
    ours.writer.reset();
    std::array<char, 16> buffer{};
    size_t taken = 0;
    while (taken < 11)
        taken += ::read(callers.reader.get(), buffer.data() + taken, buffer.size() - taken);
    EXPECT_EQ(std::string(buffer.data(), taken), "firstsecond");
    ::kill(child, SIGKILL);
}

} // namespace
} // namespace runvm::shim
