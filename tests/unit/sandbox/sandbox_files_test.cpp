#include "sandbox_fixture.h"

#include <gmock/gmock.h>

#include <sys/inotify.h>

#include <algorithm>

namespace runvm::sandbox {
namespace {

using testing::Contains;
using testing::Not;

class SandboxFilesTest : public SandboxTest {
protected:
    ~SandboxFilesTest() noexcept override = default; // kj's destructors may throw; gtest's may not

    // What the host does.
    void happen(std::vector<vm::FileEvent> events) {
        ASSERT_NE(machine.file_events.get(), nullptr);
        machine.file_events->fulfill(std::move(events));
        settle();
    }
    auto count(const std::string& call) const {
        return std::count(script.calls.begin(), script.calls.end(), call);
    }
};

TEST_F(SandboxFilesTest, WhatTheGuestWatchesIsWatchedOnTheHost) {
    script.added_watches = {{3, "c1/rootfs/etc"}, {4, "c1/data"}};
    ASSERT_TRUE(boot());
    settle();
    EXPECT_THAT(machine.calls, Contains("watch 3 c1/rootfs/etc"));
    EXPECT_THAT(machine.calls, Contains("watch 4 c1/data"));
}

TEST_F(SandboxFilesTest, WhatTheGuestWatchesNoMoreIsLetGo) {
    script.added_watches = {{3, "c1/data"}};
    script.removed_watches = {9};
    ASSERT_TRUE(boot());
    settle();
    EXPECT_THAT(machine.calls, Contains("unwatch 9"));
}

TEST_F(SandboxFilesTest, AFileThatCannotBeWatchedKeepsNobodyElse) {
    machine.watch_error = Error(ErrorKind::not_found, "no such file");
    script.added_watches = {{3, "c1/gone"}, {4, "c1/data"}};
    ASSERT_TRUE(boot());
    settle();
    EXPECT_THAT(machine.calls, Contains("watch 4 c1/data"));
    EXPECT_EQ(over, "");
}

TEST_F(SandboxFilesTest, AGuestCannotHaveMoreWatchedThanItMay) {
    for (uint32_t id = 1; id <= protocol::MAX_FILE_WATCHES + 1; ++id)
        script.added_watches[id] = "c1/data";
    ASSERT_TRUE(boot());
    settle();
    EXPECT_THAT(machine.calls, Contains("watch " + std::to_string(protocol::MAX_FILE_WATCHES) + " c1/data"));
    EXPECT_THAT(machine.calls,
                Not(Contains("watch " + std::to_string(protocol::MAX_FILE_WATCHES + 1) + " c1/data")));
}

TEST_F(SandboxFilesTest, TheGuestIsToldOfWhatHappens) {
    ASSERT_TRUE(boot());
    settle();
    happen({{3, IN_CREATE, "new"}, {4, IN_MODIFY, ""}});
    EXPECT_EQ(count("event 3 " + std::to_string(IN_CREATE) + " new"), 1);
    EXPECT_EQ(count("event 4 " + std::to_string(IN_MODIFY) + " "), 1);
    happen({{3, IN_DELETE, "new"}});
    EXPECT_EQ(count("event 3 " + std::to_string(IN_DELETE) + " new"), 1);
}

TEST_F(SandboxFilesTest, ManyEventsGoInParts) {
    ASSERT_TRUE(boot());
    settle();
    happen(std::vector<vm::FileEvent>(protocol::MAX_FILE_EVENTS + 3, {1, IN_MODIFY, "f"}));
    EXPECT_EQ(count("tellFileEvents " + std::to_string(protocol::MAX_FILE_EVENTS)), 1);
    EXPECT_EQ(count("tellFileEvents 3"), 1);
}

TEST_F(SandboxFilesTest, AnAgentThatRefusesEventsHearsOfTheNextOnes) {
    script.errors.emplace("tellFileEvents", Error(ErrorKind::internal, "no module"));
    ASSERT_TRUE(boot());
    settle();
    happen({{3, IN_CREATE, "one"}});
    happen({{3, IN_CREATE, "two"}});
    EXPECT_EQ(count("event 3 " + std::to_string(IN_CREATE) + " two"), 1);
    EXPECT_EQ(over, "");
}

} // namespace
} // namespace runvm::sandbox
