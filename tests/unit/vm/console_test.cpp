#include "vm/console.h"

#include "os/fd.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <array>

namespace runvm::vm {
namespace {

TEST(ConsoleRing, EmptyHasNoTail) {
    EXPECT_EQ(ConsoleRing().tail(20), "");
}

TEST(ConsoleRing, GivesTheLastLines) {
    ConsoleRing ring;
    ring.append("one\r\ntwo\r\n\r\nthr");
    ring.append("ee\r\nunfinished");
    EXPECT_EQ(ring.tail(2), "three\nunfinished\n");
    EXPECT_EQ(ring.tail(20), "one\ntwo\nthree\nunfinished\n");
    EXPECT_EQ(ring.tail(0), "");
}

TEST(ConsoleRing, ForgetsTheOldest) {
    ConsoleRing ring;
    std::string expected;
    for (int i = 0; i < 20'000; ++i) {
        std::string line = "line " + std::to_string(i) + "\n";
        ring.append(line);
        expected += line;
    }
    EXPECT_EQ(ring.size(), ConsoleRing::capacity_bytes);
    std::string tail = ring.tail(1'000'000);
    // The oldest line is broken off.
    std::string kept = tail.substr(tail.find('\n') + 1);
    EXPECT_GT(kept.size(), ConsoleRing::capacity_bytes - 100);
    EXPECT_EQ(kept, expected.substr(expected.size() - kept.size()));
}

TEST(ConsoleRing, TakesMoreThanItsSizeAtOnce) {
    ConsoleRing ring;
    ring.append("before\n");
    ring.append(std::string(3 * ConsoleRing::capacity_bytes, 'x') + "\nlast\n");
    EXPECT_EQ(ring.size(), ConsoleRing::capacity_bytes);
    EXPECT_EQ(ring.tail(1), "last\n");
}

TEST(ConsoleRing, LeavesNothingForATerminalToObey) {
    ConsoleRing ring;
    ring.append("\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b"
                "c\x08\x7f\x9b"
                "2J\xc2\x9b"
                "1m\tend \x1b[");
    std::string tail = ring.tail(1);
    for (unsigned char byte : tail)
        EXPECT_TRUE(byte == '\n' || (byte >= 0x20 && byte < 0x7f)) << static_cast<int>(byte);
    EXPECT_EQ(tail.rfind("red ", 0), 0U) << tail;
    EXPECT_NE(tail.find(" end\n"), std::string::npos) << tail;
}

TEST(ConsoleRing, KeepsUtf8AndMarksWhatIsNone) {
    ConsoleRing ring;
    ring.append("\xc3\xbc \xe2\x82\xac \xff \xe2\x82\n");
    EXPECT_EQ(ring.tail(1), "\xc3\xbc \xe2\x82\xac ? ??\n");
}

TEST(ConsoleRing, BoundsALine) {
    ConsoleRing ring;
    ring.append(std::string(5000, 'y') + "\n");
    EXPECT_EQ(ring.tail(20), std::string(200, 'y') + "\n");
}

TEST(ReadConsole, ReadsUntilNothingIsThereAndSeesTheEnd) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC), 0);
    os::Fd output(ends[0]);
    os::Fd input(ends[1]);
    ConsoleRing ring;
    ASSERT_EQ(::write(input.get(), "hello\n", 6), 6);
    auto open = read_console(output.get(), ring);
    ASSERT_TRUE(open.ok());
    EXPECT_TRUE(*open);
    EXPECT_EQ(ring.tail(1), "hello\n");
    input.reset();
    open = read_console(output.get(), ring);
    ASSERT_TRUE(open.ok());
    EXPECT_FALSE(*open);
}

TEST(ReadConsole, IsNotKeptByAGuestThatWritesWithoutEnd) {
    os::Fd endless(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
    ConsoleRing ring;
    auto open = read_console(endless.get(), ring);
    ASSERT_TRUE(open.ok());
    EXPECT_TRUE(*open);
}

} // namespace
} // namespace runvm::vm
