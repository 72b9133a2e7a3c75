#include "channel/name_messages.h"

#include <gtest/gtest.h>

namespace runvm::channel {
namespace {

class NameMessages : public testing::Test {
protected:
    ~NameMessages() noexcept override = default; // kj's promises may throw in theirs

    std::string read_of(const std::string& bytes) {
        auto written = pipe_.ends[0]
                           ->write(bytes.data(), bytes.size())
                           .then([this] { pipe_.ends[0]->shutdownWrite(); })
                           .eagerlyEvaluate([](kj::Exception&&) {});
        return read_name_message(*pipe_.ends[1]).wait(io_.waitScope);
    }

    kj::AsyncIoContext io_ = kj::setupAsyncIo();
    kj::TwoWayPipe pipe_ = io_.provider->newTwoWayPipe();
};

TEST_F(NameMessages, ComeBackAsTheyWereWritten) {
    for (size_t size : {size_t{1}, size_t{255}, size_t{256}, largest_name_message}) {
        std::string message(size, 'a');
        message.back() = 'z';
        auto written = write_name_message(*pipe_.ends[0], message).eagerlyEvaluate(nullptr);
        EXPECT_EQ(read_name_message(*pipe_.ends[1]).wait(io_.waitScope), message);
        written.wait(io_.waitScope);
    }
}

TEST_F(NameMessages, AreTakenOneByOne) {
    EXPECT_EQ(read_of(std::string("\0\2ab\0\1c", 7)), "ab");
    EXPECT_EQ(read_name_message(*pipe_.ends[1]).wait(io_.waitScope), "c");
    EXPECT_EQ(read_name_message(*pipe_.ends[1]).wait(io_.waitScope), "");
}

TEST_F(NameMessages, AreNoneAtTheEnd) {
    EXPECT_EQ(read_of(""), "");
}
TEST_F(NameMessages, AreNoneWithHalfALength) {
    EXPECT_EQ(read_of(std::string("\0", 1)), "");
}
TEST_F(NameMessages, AreNoneThatAreCutShort) {
    EXPECT_EQ(read_of(std::string("\0\3ab", 4)), "");
}
TEST_F(NameMessages, AreNoneOfNoLength) {
    EXPECT_EQ(read_of(std::string("\0\0ab", 4)), "");
}

TEST_F(NameMessages, AreRefusedIfTheLengthHasNoRoom) {
    EXPECT_ANY_THROW(write_name_message(*pipe_.ends[0], std::string(largest_name_message + 1, 'a')));
}

} // namespace
} // namespace runvm::channel
