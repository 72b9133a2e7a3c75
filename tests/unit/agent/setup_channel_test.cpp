#include "agent/setup_channel.h"

#include "os/file.h"

#include <gtest/gtest.h>
#include <kj/async-unix.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

namespace runvm::agent {
namespace {

TEST(SetupError, SurvivesTheWay) {
    Error error(ErrorKind::command_not_found, "exec: \"x\"", ENOENT);
    error.add_context("inner").add_context("outer");
    std::optional<Error> decoded = decode_error(encode_error(error));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->kind(), ErrorKind::command_not_found);
    EXPECT_EQ(decoded->errno_value(), ENOENT);
    EXPECT_EQ(decoded->message(), "exec: \"x\"");
    EXPECT_EQ(decoded->context(), (std::vector<std::string>{"inner", "outer"}));
}

TEST(SetupError, IsCutToAMessage) {
    Error error(ErrorKind::system, std::string(10'000, 'm'), EIO);
    for (int i = 0; i < 100; ++i)
        error.add_context(std::string(100, 'c'));
    std::string encoded = encode_error(error);
    EXPECT_LT(encoded.size(), 4096U);
    std::optional<Error> decoded = decode_error(encoded);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->errno_value(), EIO);
    EXPECT_GT(decoded->message().size(), 4000U);
}

TEST(SetupError, RefusesWhatIsNotWellFormed) {
    std::string encoded = encode_error(Error(ErrorKind::system, "message", EIO).add_context("step"));
    for (size_t length = 0; length < encoded.size(); ++length) {
        // Only where the context ends is a shorter message well formed.
        if (length == encoded.size() - 6)
            continue;
        EXPECT_FALSE(decode_error(encoded.substr(0, length))) << length;
    }
    encoded[0] = 99;
    EXPECT_FALSE(decode_error(encoded));
}

class Channel : public testing::Test {
protected:
    Channel() : loop_(port_), scope_(loop_) {
        auto sockets = make_setup_sockets();
        agent_ = std::make_unique<SetupChannel>(port_, std::move(sockets->first));
        process_ = std::move(sockets->second);
    }
    ~Channel() noexcept override = default; // kj's observers may throw in theirs
    SetupMessage next() { return agent_->next().wait(scope_); }

    kj::UnixEventPort port_;
    kj::EventLoop loop_;
    kj::WaitScope scope_;
    std::unique_ptr<SetupChannel> agent_;
    os::Fd process_;
};

TEST_F(Channel, TellsOfReadinessAndOfItsEnd) {
    SetupReporter reporter(process_.get());
    ASSERT_TRUE(reporter.send_ready());
    EXPECT_EQ(next().kind, SetupMessage::Kind::ready);
    process_.reset();
    EXPECT_EQ(next().kind, SetupMessage::Kind::closed);
}

TEST_F(Channel, WaitsForAMessage) {
    auto waiting = agent_->next();
    EXPECT_FALSE(waiting.poll(scope_));
    SetupReporter(process_.get()).send_failed(Error(ErrorKind::system, "broken", EPERM));
    SetupMessage message = waiting.wait(scope_);
    EXPECT_EQ(message.kind, SetupMessage::Kind::failed);
    ASSERT_TRUE(message.error);
    EXPECT_EQ(message.error->errno_value(), EPERM);
}

TEST_F(Channel, CarriesATerminal) {
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    os::Fd read_end(pipe[0]);
    os::Fd write_end(pipe[1]);
    ASSERT_TRUE(SetupReporter(process_.get()).send_terminal(write_end.get()));
    SetupMessage message = next();
    EXPECT_EQ(message.kind, SetupMessage::Kind::terminal);
    ASSERT_TRUE(message.terminal);
    ASSERT_EQ(::write(message.terminal.get(), "x", 1), 1);
    char byte = 0;
    EXPECT_EQ(::read(read_end.get(), &byte, 1), 1);
}

TEST_F(Channel, LetsTheProcessGoOn) {
    ASSERT_TRUE(agent_->start());
    EXPECT_TRUE(SetupReporter(process_.get()).wait_for_start());
}

TEST_F(Channel, TellsThatIdsAreMapped) {
    ASSERT_TRUE(agent_->tell_mapped());
    EXPECT_TRUE(SetupReporter(process_.get()).wait_until_mapped());
}

TEST_F(Channel, EndsTheWaitWhenTheAgentGivesUp) {
    agent_ = nullptr;
    EXPECT_FALSE(SetupReporter(process_.get()).wait_until_mapped());
    EXPECT_FALSE(SetupReporter(process_.get()).wait_for_start());
}

TEST_F(Channel, ReportsAnUnreadableMessage) {
    ASSERT_EQ(::write(process_.get(), "Fxx", 3), 3);
    SetupMessage message = next();
    EXPECT_EQ(message.kind, SetupMessage::Kind::failed);
    ASSERT_TRUE(message.error);
    EXPECT_EQ(message.error->kind(), ErrorKind::internal);
}

} // namespace
} // namespace runvm::agent
