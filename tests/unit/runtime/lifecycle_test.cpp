// start, kill, delete, run and exec of a container that is there.

#include "commands_fixture.h"

#include "runtime/monitor_process.h"

namespace runvm::runtime {
namespace {

using testing::HasSubstr;

using LifecycleTest = CommandsTest;

TEST_F(LifecycleTest, StartsOnce) {
    ASSERT_TRUE(create(context_, options()));
    auto started = start(context_, "c1");
    ASSERT_TRUE(started) << started.error().to_string();
    EXPECT_EQ(status(), "running");
    auto again = start(context_, "c1");
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().message(), "cannot start an already running container");
}

TEST_F(LifecycleTest, DoesNotStartWhatHasEnded) {
    ASSERT_TRUE(create(context_, options()));
    ASSERT_TRUE(kill(context_, "c1", SIGKILL, false));
    auto started = start(context_, "c1");
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().message(), "cannot start a container that has stopped");
}

TEST_F(LifecycleTest, AFailedStartLeavesItCreated) {
    script("fails=startContainer");
    ASSERT_TRUE(create(context_, options()));
    EXPECT_FALSE(start(context_, "c1"));
    EXPECT_EQ(status(), "created");
}

TEST_F(LifecycleTest, KillEndsItAndSaysSoAfterwards) {
    ASSERT_TRUE(create(context_, options()));
    ASSERT_TRUE(start(context_, "c1"));
    ASSERT_TRUE(kill(context_, "c1", SIGTERM, false));
    ASSERT_TRUE(becomes("stopped"));
    auto again = kill(context_, "c1", SIGTERM, false);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().kind(), ErrorKind::process_finished);
    EXPECT_TRUE(kill(context_, "c1", SIGKILL, true)) << "containerd kills all after init's end";
}

// A create that is under way has written down its id only.
TEST_F(LifecycleTest, KillReachesTheMachineOfAnEarlyCreate) {
    auto lock = context_.store->reserve("c1");
    ASSERT_TRUE(lock);
    std::string sandbox = state::sandbox_folder(context_.root, "c1");
    ASSERT_TRUE(os::make_folders(sandbox, 0700));
    pid_t reaper = in_another_process([] {
        ::alarm(20); // should nothing else end it
        ::pause();
        return 0;
    });
    state::ProcessRef reference = state::process_ref(reaper);
    std::string text = std::to_string(reference.pid) + " " + std::to_string(reference.start_time) + "\n";
    ASSERT_TRUE(os::write_file_atomically(sandbox + "/reaper", text, 0600, false));
    auto killed = kill(context_, "c1", SIGKILL, false);
    EXPECT_TRUE(killed) << killed.error().to_string();
    EXPECT_EQ(exit_code_of(reaper), 128 + SIGKILL);
}

TEST_F(LifecycleTest, DeletesOnlyWhatDoesNotRun) {
    ASSERT_TRUE(create(context_, options()));
    ASSERT_TRUE(start(context_, "c1"));
    auto refused = remove(context_, "c1", false);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), ErrorKind::wrong_state);
    EXPECT_EQ(status(), "running");
    EXPECT_TRUE(remove(context_, "c1", true));
    expect_nothing_left();
    EXPECT_TRUE(remove(context_, "c1", true)) << "nothing is there: no error";
    auto missing = remove(context_, "c1", false);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind(), ErrorKind::not_found);
}

TEST_F(LifecycleTest, ForceClearsADamagedStateAndItsMachine) {
    ASSERT_TRUE(create(context_, options()));
    auto container = context_.store->load("c1");
    ASSERT_TRUE(container);
    ASSERT_TRUE(os::write_file_atomically(context_.root + "/c1/state.json", "{", 0600, false));
    EXPECT_FALSE(remove(context_, "c1", false));
    auto cleared = remove(context_, "c1", true);
    EXPECT_TRUE(cleared) << cleared.error().to_string();
    EXPECT_FALSE(state::is_alive(container->reaper));
    expect_nothing_left();
}

TEST_F(LifecycleTest, ForceEndsACreateThatHangs) {
    script("never-boots");
    pid_t creator = in_another_process([&] { return create(context_, options()) ? 0 : 7; });
    ASSERT_TRUE(becomes("creating"));
    std::string reaper = state::sandbox_folder(context_.root, "c1") + "/reaper";
    for (int i = 0; i < 1000 && !std::filesystem::exists(reaper); ++i)
        ::usleep(10000);
    auto cleared = remove(context_, "c1", true);
    EXPECT_TRUE(cleared) << cleared.error().to_string();
    EXPECT_EQ(exit_code_of(creator), 7);
    expect_nothing_left();
}

TEST_F(LifecycleTest, RunReturnsTheExitCodeAndDeletes) {
    script("exits=42");
    // Its signals are held back: not this process's.
    int code = exit_code_of(in_another_process([&] {
        auto result = run(context_, run_options());
        return result ? *result : 1;
    }));
    EXPECT_EQ(code, 42);
    expect_nothing_left();
}

TEST_F(LifecycleTest, RunKeepsOnDemandAndDetaches) {
    script("exits=3");
    RunOptions keep = run_options();
    keep.keep = true;
    EXPECT_EQ(exit_code_of(in_another_process([&] {
                  auto result = run(context_, keep);
                  return result ? *result : 1;
              })),
              3);
    EXPECT_EQ(status(), "stopped");
    ASSERT_TRUE(remove(context_, "c1", false));

    script("");
    RunOptions detach = run_options();
    detach.detach = true;
    auto detached = run(context_, detach);
    ASSERT_TRUE(detached) << detached.error().to_string();
    EXPECT_EQ(*detached, 0);
    EXPECT_EQ(status(), "running");
}

TEST_F(LifecycleTest, RunRemovesWhatItCouldNotStart) {
    script("fails=startContainer");
    EXPECT_EQ(exit_code_of(in_another_process([&] { return run(context_, run_options()) ? 0 : 1; })), 1);
    expect_nothing_left();
}

TEST_F(LifecycleTest, ExecReturnsTheExitCode) {
    script("exits=9");
    ASSERT_TRUE(create(context_, options()));
    ExecOptions command;
    command.id = "c1";
    command.args = {"true"};
    EXPECT_EQ(exit_code_of(in_another_process([&] {
                  auto code = exec(context_, command);
                  return code ? *code : 200;
              })),
              9);
    ASSERT_TRUE(kill(context_, "c1", SIGKILL, false));
    ASSERT_TRUE(becomes("stopped"));
    auto late = exec(context_, command);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().message(), "cannot exec in a stopped container");
}

} // namespace
} // namespace runvm::runtime
