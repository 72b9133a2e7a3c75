#include "sandbox_fixture.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace runvm::sandbox {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class NetworkTest : public SandboxTest {
protected:
    NetworkTest() { machine.space->state.links = {lo()}; }
    ~NetworkTest() noexcept override = default; // kj's destructors may throw; gtest's may not

    static network::Link lo() {
        network::Link link;
        link.index = 1;
        link.name = "lo";
        link.is_loopback = true;
        return link;
    }
    static network::Link link(uint32_t index, const std::string& name) {
        network::Link made;
        made.index = index;
        made.name = name;
        return made;
    }
    network::State with(std::vector<network::Link> links) {
        network::State state;
        state.links = std::move(links);
        state.links.insert(state.links.begin(), lo());
        return state;
    }
    void follow() {
        auto chosen = sandbox.set_network(os::Fd());
        ASSERT_TRUE(chosen) << chosen.error().to_string();
    }
    std::string told() const {
        std::string last;
        for (const std::string& call : script.calls)
            if (call.starts_with("setNetwork "))
                last = call;
        return last;
    }
};

TEST_F(NetworkTest, TheGuestGetsTheLinksOfTheNamespace) {
    machine.space->state = with({link(7, "eth0")});
    ASSERT_TRUE(boot());
    follow();
    settle();
    EXPECT_THAT(machine.calls, Contains("plug rvtap7"));
    EXPECT_THAT(machine.space->calls, Contains("connect eth0 rvtap7"));
    EXPECT_EQ(told(), "setNetwork lo eth0");
}

TEST_F(NetworkTest, ATapThatIsNotLibvirtsToMakeIsThereBeforeItsNic) {
    machine.space->makes_taps = true;
    machine.space->state = with({link(7, "eth0")});
    ASSERT_TRUE(boot());
    follow();
    settle();
    EXPECT_THAT(machine.space->calls, testing::ElementsAre("make rvtap7 for eth0", "connect eth0 rvtap7"));
    EXPECT_THAT(machine.calls, Contains("plug rvtap7, which is there"));
}

TEST_F(NetworkTest, WithoutLinksNothingIsPlugged) {
    ASSERT_TRUE(boot());
    follow();
    settle();
    EXPECT_EQ(told(), "setNetwork lo");
    EXPECT_THAT(machine.calls, Not(Contains(HasSubstr("plug"))));
}

TEST_F(NetworkTest, WhatAGuestHasByItselfIsNotTold) {
    machine.space->state = network::lo_alone();
    ASSERT_TRUE(boot());
    follow();
    settle();
    EXPECT_EQ(told(), "");
    // Once it has had more, it is told of having less.
    network::State more = network::lo_alone();
    more.links.push_back(link(7, "eth0"));
    machine.space->set(more);
    wait(io.provider->getTimer().afterDelay(200 * kj::MILLISECONDS));
    EXPECT_EQ(told(), "setNetwork lo eth0");
    machine.space->set(network::lo_alone());
    wait(io.provider->getTimer().afterDelay(200 * kj::MILLISECONDS));
    EXPECT_EQ(told(), "setNetwork lo");
}

TEST_F(NetworkTest, TheStartWaitsForWhatCameAfterTheCreate) {
    ASSERT_TRUE(boot());
    follow();
    create("c1");
    settle();
    // Without a word of the change: the start looks itself.
    machine.space->state = with({link(8, "eth0")});
    auto started = wait(sandbox.start_container("c1"));
    ASSERT_TRUE(started) << started.error().to_string();
    auto told_at = std::find(script.calls.begin(), script.calls.end(), "setNetwork lo eth0");
    auto started_at = std::find(script.calls.begin(), script.calls.end(), "startContainer c1");
    ASSERT_NE(told_at, script.calls.end());
    EXPECT_LT(told_at, started_at);
}

TEST_F(NetworkTest, TheStartFailsIfTheGuestDoesNotGetALink) {
    machine.space->connect_errors.emplace("eth0", Error(ErrorKind::already_exists, "it is another's"));
    machine.space->state = with({link(7, "eth0")});
    ASSERT_TRUE(boot());
    follow();
    create("c1");
    auto started = wait(sandbox.start_container("c1"));
    ASSERT_FALSE(started);
    EXPECT_THAT(started.error().to_string(), HasSubstr("link eth0: it is another's"));
    EXPECT_THAT(script.calls, Not(Contains("startContainer c1")));
    // It is not plugged again for the next try.
    machine.space->connect_errors.clear();
    EXPECT_TRUE(wait(sandbox.start_container("c1")));
    EXPECT_EQ(std::count(machine.calls.begin(), machine.calls.end(), "plug rvtap7"), 1);
}

TEST_F(NetworkTest, LinksComeAndGo) {
    machine.space->state = with({link(7, "eth0")});
    ASSERT_TRUE(boot());
    follow();
    create("c1");
    ASSERT_TRUE(wait(sandbox.start_container("c1")));
    machine.space->set(with({link(7, "eth0"), link(9, "eth1")}));
    wait(io.provider->getTimer().afterDelay(200 * kj::MILLISECONDS));
    EXPECT_EQ(told(), "setNetwork lo eth0 eth1");
    machine.space->set(with({link(9, "eth1")}));
    wait(io.provider->getTimer().afterDelay(200 * kj::MILLISECONDS));
    EXPECT_EQ(told(), "setNetwork lo eth1");
    EXPECT_THAT(machine.calls, Contains("unplug rvtap7"));
    EXPECT_THAT(machine.space->calls, Contains("disconnect eth0"));
}

TEST_F(NetworkTest, AFailureIsTriedAgain) {
    machine.space->state = with({link(7, "eth0")});
    script.errors.emplace("setNetwork", Error(ErrorKind::timeout, "not yet"));
    ASSERT_TRUE(boot());
    follow();
    settle();
    script.errors.clear();
    size_t before = script.calls.size();
    for (int i = 0; i < 100 && script.calls.size() == before; ++i)
        wait(io.provider->getTimer().afterDelay(100 * kj::MILLISECONDS));
    EXPECT_GT(script.calls.size(), before);
    EXPECT_EQ(told(), "setNetwork lo eth0");
}

TEST_F(NetworkTest, ANewNameOrMtuIsConnectedAndTold) {
    machine.space->state = with({link(7, "eth0")});
    ASSERT_TRUE(boot());
    follow();
    settle();
    machine.space->set(with({link(7, "net0")}));
    wait(io.provider->getTimer().afterDelay(200 * kj::MILLISECONDS));
    EXPECT_THAT(machine.space->calls, Contains("connect net0 rvtap7"));
    EXPECT_EQ(std::count(machine.calls.begin(), machine.calls.end(), "plug rvtap7"), 1);
}

TEST_F(NetworkTest, AnotherNamespaceIsRefused) {
    ASSERT_TRUE(boot());
    follow();
    EXPECT_TRUE(sandbox.set_network(os::Fd())); // the same
    machine.space->id.inode = 4712;
    auto refused = sandbox.set_network(os::Fd());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), ErrorKind::already_exists);
}

TEST_F(NetworkTest, TheEndOfTheMachineLetsGoOfTheLinks) {
    machine.space->state = with({link(7, "eth0")});
    ASSERT_TRUE(boot());
    follow();
    settle();
    machine.die("it died");
    EXPECT_THAT(machine.space->calls, Contains("disconnect eth0"));
}

TEST_F(NetworkTest, NamesAreAskedForWhereThereIsAResolver) {
    machine.space->names["query"] = "answer";
    script.name_queries = {"query"};
    ASSERT_TRUE(boot());
    follow();
    settle();
    EXPECT_THAT(machine.space->calls, Not(Contains("ask query")));
    network::State state = with({link(7, "eth0")});
    state.has_resolver = true;
    machine.space->set(std::move(state));
    wait(io.provider->getTimer().afterDelay(200 * kj::MILLISECONDS));
    EXPECT_THAT(machine.space->calls, Contains("ask query"));
    EXPECT_THAT(script.calls, Contains("answerNameQuery answer"));
}

} // namespace
} // namespace runvm::sandbox
