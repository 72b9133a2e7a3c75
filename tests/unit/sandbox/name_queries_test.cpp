#include "sandbox/name_queries.h"

#include "channel/name_messages.h"
#include "protocol/agent.capnp.h"
#include <kj/async-io.h>
#include <kj/debug.h>

#include <gmock/gmock.h>

#include <deque>
#include <map>

namespace runvm::sandbox {
namespace {

using testing::ElementsAre;

struct Question {
    uint32_t id = 0;
    std::string message;
    bool over_tcp = false;
};

/// What the guest asks next, each entry one answer of nextNameQueries.
struct Guest {
    std::deque<std::vector<Question>> asks;
    size_t calls = 0;
    std::map<uint32_t, std::string> answers;
    bool is_broken = false;
};

class AskingAgent final : public protocol::Agent::Server {
public:
    explicit AskingAgent(Guest& guest) : guest_(guest) {}
    kj::Promise<void> nextNameQueries(NextNameQueriesContext context) override {
        ++guest_.calls;
        if (guest_.is_broken)
            return KJ_EXCEPTION(FAILED, "broken");
        if (guest_.asks.empty())
            return kj::NEVER_DONE;
        auto& asked = guest_.asks.front();
        auto list = context.getResults().initQueries(static_cast<unsigned>(asked.size()));
        for (unsigned i = 0; i < list.size(); ++i) {
            list[i].setId(asked[i].id);
            list[i].setOverTcp(asked[i].over_tcp);
            list[i].setMessage(kj::StringPtr(asked[i].message.c_str(), asked[i].message.size()).asBytes());
        }
        guest_.asks.pop_front();
        return kj::READY_NOW;
    }
    kj::Promise<void> answerNameQuery(AnswerNameQueryContext context) override {
        auto message = context.getParams().getMessage().asChars();
        guest_.answers[context.getParams().getId()] = std::string(message.begin(), message.size());
        return kj::READY_NOW;
    }

private:
    Guest& guest_;
};

class NameQueriesTest : public testing::Test {
protected:
    ~NameQueriesTest() noexcept override = default; // kj's destructors may throw; gtest's may not

    void follow() {
        queries_.follow(kj::heap<AskingAgent>(guest_));
        io_.waitScope.poll();
    }
    kj::Promise<Result<std::string>> ask(const std::string& message, bool over_tcp) {
        asked_.push_back(message + (over_tcp ? " over TCP" : ""));
        if (message == "slow") {
            auto pair = kj::newPromiseAndFulfiller<Result<std::string>>();
            slow_.push_back(kj::mv(pair.fulfiller));
            return kj::mv(pair.promise);
        }
        if (message == "unknown")
            return Result<std::string>(Error(ErrorKind::timeout, "no answer"));
        return Result<std::string>("of " + message);
    }

    kj::AsyncIoContext io_ = kj::setupAsyncIo();
    Guest guest_;
    std::vector<std::string> asked_;
    std::vector<kj::Own<kj::PromiseFulfiller<Result<std::string>>>> slow_;
    NameQueries queries_{
        [this](const std::string& message, bool over_tcp) { return ask(message, over_tcp); }};
};

TEST_F(NameQueriesTest, AreAnswered) {
    guest_.asks = {{{1, "a", false}, {2, "b", true}}, {{3, "unknown", false}}};
    follow();
    EXPECT_THAT(asked_, ElementsAre("a", "b over TCP", "unknown"));
    EXPECT_EQ(guest_.answers, (std::map<uint32_t, std::string>{{1, "of a"}, {2, "of b"}, {3, ""}}));
    EXPECT_EQ(guest_.calls, 3U);
}

TEST_F(NameQueriesTest, OfOneDoNotWaitForAnothers) {
    guest_.asks = {{{1, "slow", false}}, {{2, "b", false}}};
    follow();
    EXPECT_EQ(guest_.answers.count(1), 0U);
    EXPECT_EQ(guest_.answers[2], "of b");
    slow_.at(0)->fulfill(Result<std::string>("at last"));
    io_.waitScope.poll();
    EXPECT_EQ(guest_.answers[1], "at last");
}

TEST_F(NameQueriesTest, AreNotTakenWhileTooManyWait) {
    std::vector<Question> many(protocol::MAX_NAME_QUERIES, Question{1, "slow", false});
    for (size_t i = 0; i < 100; ++i)
        guest_.asks.push_back(many);
    follow();
    EXPECT_LE(slow_.size(), NameQueries::most_pending);
    size_t calls = guest_.calls;
    for (auto& waiting : slow_)
        waiting->fulfill(Result<std::string>("at last"));
    io_.waitScope.poll();
    EXPECT_GT(guest_.calls, calls);
}

TEST_F(NameQueriesTest, EndWithAGuestThatSendsNone) {
    guest_.asks = {{}, {{1, "a", false}}};
    follow();
    EXPECT_TRUE(asked_.empty());
    EXPECT_EQ(guest_.calls, 1U);
}

TEST_F(NameQueriesTest, EndWithAGuestThatSendsTooMany) {
    guest_.asks = {std::vector<Question>(protocol::MAX_NAME_QUERIES + 1, Question{1, "a", false})};
    follow();
    EXPECT_TRUE(asked_.empty());
    EXPECT_EQ(guest_.calls, 1U);
}

TEST_F(NameQueriesTest, EndWithAGuestThatSendsAnEmptyOne) {
    guest_.asks = {{{1, "a", false}, {2, "", false}}};
    follow();
    EXPECT_TRUE(asked_.empty());
    EXPECT_EQ(guest_.calls, 1U);
}

TEST_F(NameQueriesTest, EndWithAGuestThatSendsOneThatIsTooLarge) {
    guest_.asks = {{{1, "a", false}, {2, std::string(channel::largest_name_message + 1, 'x'), false}}};
    follow();
    EXPECT_TRUE(asked_.empty());
    EXPECT_EQ(guest_.calls, 1U);
    follow(); // as after a change of the network
    EXPECT_EQ(guest_.calls, 1U);
}

TEST_F(NameQueriesTest, EndWithACallThatFails) {
    guest_.is_broken = true;
    follow();
    EXPECT_EQ(guest_.calls, 1U);
}

TEST_F(NameQueriesTest, AreNotAnsweredWhenTheMachineIsOver) {
    guest_.asks = {{{1, "slow", false}}};
    follow();
    queries_.end();
    slow_.at(0)->fulfill(Result<std::string>("too late"));
    io_.waitScope.poll();
    EXPECT_TRUE(guest_.answers.empty());
}

} // namespace
} // namespace runvm::sandbox
