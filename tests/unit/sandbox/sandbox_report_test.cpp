// What the guest says of its containers is checked before it goes on.

#include "sandbox_fixture.h"

namespace runvm::sandbox {
namespace {

class SandboxReportTest : public SandboxTest {
protected:
    void SetUp() override {
        ASSERT_TRUE(boot());
        create("c1");
    }
};

TEST_F(SandboxReportTest, ListsProcesses) {
    script.processes = 3;
    auto list = wait(sandbox.list_processes("c1"));
    ASSERT_TRUE(list);
    EXPECT_EQ((*list)->get().getProcesses().size(), 3U);
    EXPECT_EQ(wait(sandbox.list_processes("c2")).error().kind(), ErrorKind::not_found);
}

TEST_F(SandboxReportTest, RefusesMoreProcessesThanThereMayBe) {
    script.processes = protocol::MAX_PROCESS_INFOS + 1;
    EXPECT_EQ(wait(sandbox.list_processes("c1")).error().kind(), ErrorKind::internal);
    script.processes = 16;
    script.process_name_bytes = 3U << 20U;
    EXPECT_FALSE(wait(sandbox.list_processes("c1")));
}

TEST_F(SandboxReportTest, ReadsCgroupFiles) {
    script.cgroup_files = {"1\n", ""};
    auto contents = wait(sandbox.read_cgroup("c1", {"memory.current", "no.such"}));
    ASSERT_TRUE(contents);
    EXPECT_EQ(*contents, script.cgroup_files);
}

TEST_F(SandboxReportTest, RefusesWrongAnswers) {
    script.cgroup_files = {"1", "2"};
    EXPECT_EQ(wait(sandbox.read_cgroup("c1", {"a.b"})).error().kind(), ErrorKind::internal);
    script.cgroup_files = {std::string((64U << 10U) + 1, 'x')};
    EXPECT_EQ(wait(sandbox.read_cgroup("c1", {"a.b"})).error().kind(), ErrorKind::internal);
    std::vector<std::string> many(65, "a.b");
    EXPECT_EQ(wait(sandbox.read_cgroup("c1", many)).error().kind(), ErrorKind::invalid_argument);
}

TEST_F(SandboxReportTest, TellsOfEachKillForWantOfMemory) {
    unsigned seen = 0;
    sandbox.add_listener([&](protocol::Event::Builder event) {
        if (event.isOom() && event.getContainerId() == "c2")
            ++seen;
    });
    script.oom_kills = 2;
    create("c2");
    for (int i = 0; i < 100 && seen < 2; ++i)
        settle();
    EXPECT_EQ(seen, 2U);
}

} // namespace
} // namespace runvm::sandbox
