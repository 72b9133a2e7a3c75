#include "../support/temporary_folder.h"

#include "hooks/run.h"
#include "os/fd.h"
#include "os/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <sys/eventfd.h>

namespace runvm::hooks {
namespace {

using testing::HasSubstr;

Hook shell(const std::string& script) {
    Hook hook;
    hook.path = "/bin/sh";
    hook.args = {"sh", "-c", script};
    return hook;
}

std::string error_of(const Hook& hook, const Place& place = {}) {
    auto ran = run("prestart", {&hook, 1}, "{}", place);
    return ran ? "" : ran.error().to_string();
}

class HooksTest : public testing::Test {
protected:
    std::string file(const std::string& name) const { return folder_.path() + "/" + name; }
    std::string text_of(const std::string& name) const { return os::read_file(file(name)).value(); }

    test::TemporaryFolder folder_;
};

TEST_F(HooksTest, GetTheStateAndRunInOrder) {
    std::vector<Hook> hooks = {shell("cat >" + file("out")), shell("echo 2 >>" + file("out"))};
    auto ran = run("prestart", hooks, "the state\n", {});
    ASSERT_TRUE(ran) << ran.error().to_string();
    EXPECT_EQ(text_of("out"), "the state\n2\n");
}

TEST_F(HooksTest, TheFirstThatFailsIsTheLast) {
    std::vector<Hook> hooks = {shell("true"), shell("echo out; echo err >&2; exit 3"),
                               shell("touch " + file("third"))};
    auto ran = run("createRuntime", hooks, "{}", {});
    ASSERT_FALSE(ran);
    EXPECT_EQ(ran.error().to_string(),
              "error running createRuntime hook #1: exit status 3, stdout: out\n, stderr: err\n");
    EXPECT_FALSE(os::read_file(file("third")));
}

TEST_F(HooksTest, SaysWhatKilledOne) {
    EXPECT_THAT(error_of(shell("kill -TERM $$")), HasSubstr("signal: terminated"));
}

TEST_F(HooksTest, WhatCannotBeExecutedIsNamed) {
    EXPECT_THAT(error_of(Hook{"/no/such/hook", {}, {}, 0}),
                HasSubstr("prestart hook #0: execute /no/such/hook: No such file or directory"));
}

TEST_F(HooksTest, NeedNotReadAStateThatIsLong) {
    Hook hook = shell("exit 0");
    EXPECT_TRUE(run("prestart", {&hook, 1}, std::string(1U << 20U, 'x'), {}));
}

TEST_F(HooksTest, MayWriteMuch) {
    EXPECT_EQ(error_of(shell("head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2")), "");
    EXPECT_LT(error_of(shell("head -c 1000000 /dev/zero | tr '\\0' x; exit 1")).size(), 100'000U);
}

TEST_F(HooksTest, AreNotWaitedForBeyondTheirEnd) {
    auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(error_of(shell("sleep 50 & echo $! >" + file("child"))), "");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(40));
    ASSERT_EQ(std::system(("kill " + text_of("child")).c_str()), 0);
}

TEST_F(HooksTest, EndWithTheirWholeGroupAtTheTimeout) {
    Hook hook = shell("(sleep 3; touch " + file("late") + ") & sleep 100");
    hook.timeout_s = 1;
    EXPECT_EQ(error_of(hook), "error running prestart hook #0: hook ran past specified timeout of 1.0s");
    ASSERT_EQ(std::system("sleep 4"), 0);
    EXPECT_FALSE(os::read_file(file("late")));
}

TEST_F(HooksTest, EndWhenTheCommandIsInterrupted) {
    os::Fd interrupts(::eventfd(1, EFD_CLOEXEC));
    Place place;
    place.interrupts_fd = interrupts.get();
    Hook hook = shell("sleep 100");
    auto ran = run("prestart", {&hook, 1}, "{}", place);
    ASSERT_FALSE(ran);
    EXPECT_EQ(ran.error().kind(), ErrorKind::interrupted);
}

TEST_F(HooksTest, HaveTheEnvironmentThatWasAskedFor) {
    ASSERT_EQ(::setenv("RUNVM_HOOK_TEST", "inherited", 1), 0);
    EXPECT_EQ(error_of(shell("[ \"$RUNVM_HOOK_TEST\" = inherited ]")), "") << "none given: the caller's";
    Hook hook = shell("[ -z \"$RUNVM_HOOK_TEST\" ] && [ \"$A\" = b ]");
    hook.env = {"A=b"};
    EXPECT_EQ(error_of(hook), "");
    hook = shell("[ -z \"$RUNVM_HOOK_TEST\" ]");
    hook.env.emplace();
    EXPECT_EQ(error_of(hook), "") << "an empty one is empty";
}

TEST_F(HooksTest, RunInTheFolderOfTheirPlace) {
    Place place;
    place.cwd = folder_.path();
    EXPECT_EQ(error_of(shell("touch here"), place), "");
    EXPECT_TRUE(os::read_file(file("here")));
}

TEST_F(HooksTest, WithoutArgumentsTheFirstOneIsTheirPath) {
    ASSERT_TRUE(
        os::write_file_atomically(file("hook"), "#!/bin/sh\necho \"$#\" >" + file("count"), 0755, false));
    EXPECT_EQ(error_of(Hook{file("hook"), {}, {}, 0}), "");
    EXPECT_EQ(text_of("count"), "0\n");
}

} // namespace
} // namespace runvm::hooks
