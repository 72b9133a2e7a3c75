// config.md, "process".

#include "bundle.h"

namespace runvm::oci::test {

using Process = Bundle;

TEST_F(Process, args_env_and_cwd) {
    json_["process"]["args"] = {"a", "", "c"};
    json_["process"]["env"] = {"A=1", "B=", "A=3=4"};
    json_["process"]["cwd"] = "/x";
    plan_ok();
    ASSERT_EQ(process().getArgs().size(), 3U);
    EXPECT_EQ(process().getArgs()[1], "");
    ASSERT_EQ(process().getEnv().size(), 2U);
    EXPECT_EQ(process().getEnv()[0], "A=3=4"); // the last value, at the first place
    EXPECT_EQ(process().getEnv()[1], "B=");
    EXPECT_EQ(process().getCwd(), "/x");
}

TEST_F(Process, words_of_runc) {
    EXPECT_EQ(error_with("/process", nullptr), "config.json: process: process property must not be empty");
    EXPECT_EQ(error_with("/process/args", Json::array()),
              "config.json: process.args: args must not be empty");
    EXPECT_EQ(error_with("/process/cwd", ""), "config.json: process.cwd: Cwd property must not be empty");
    EXPECT_EQ(error_with("/process/cwd", "x"), "config.json: process.cwd: Cwd must be an absolute path");
}

TEST_F(Process, env_errors) {
    EXPECT_EQ(error_with("/process/env/1", "X"),
              "config.json: process.env[1]: found \"X\"; an environment variable has the form NAME=VALUE");
    EXPECT_NE(error_with("/process/env/0", "=x"), "");
    EXPECT_EQ(error_with("/process/env/0", 7), "config.json: process.env[0]: found 7; a string is expected");
    EXPECT_EQ(error_with("/process/env/0", nullptr),
              "config.json: process.env[0]: found null; an environment variable has the form NAME=VALUE");
}

TEST_F(Process, user) {
    json_["process"]["user"] = {{"uid", 1}, {"gid", 4294967294U}, {"umask", 077}, {"additionalGids", {5, 6}}};
    plan_ok();
    auto user = process().getUser();
    EXPECT_EQ(user.getUid(), 1U);
    EXPECT_EQ(user.getGid(), 4294967294U);
    EXPECT_EQ(user.getUmask(), 077U);
    EXPECT_EQ(user.getAdditionalGids()[1], 6U);
    EXPECT_EQ(
        error_with("/process/user/uid", 4294967295U),
        "config.json: process.user.uid: found 4294967295; a whole number from 0 to 4294967294 is allowed");
    EXPECT_NE(error_with("/process/user/uid", -1), "");
    EXPECT_NE(error_with("/process/user/gid", 1.5), "");
    EXPECT_NE(error_with("/process/user/gid", "0"), "");
    EXPECT_NE(error_with("/process/user/umask", 01000), "");
    EXPECT_NE(error_with("/process/user/additionalGids/0", -5), "");
}

TEST_F(Process, umask_has_a_default) {
    plan_ok();
    EXPECT_EQ(process().getUser().getUmask(), 022U);
}

TEST_F(Process, terminal_and_console_size) {
    json_["process"]["consoleSize"] = {{"height", 25}, {"width", 80}};
    HostPlan plan = plan_ok();
    EXPECT_TRUE(plan.terminal);
    EXPECT_EQ(plan.console_height, 25);
    EXPECT_EQ(process().getConsoleWidth(), 80);
    json_["process"]["terminal"] = false;
    plan = plan_ok();
    EXPECT_FALSE(plan.terminal);
    EXPECT_EQ(plan.console_height, 0);
    EXPECT_EQ(process().getConsoleWidth(), 0);
    EXPECT_NE(error_with("/process/consoleSize/height", 65536), "");
}

TEST_F(Process, capabilities) {
    json_["process"]["capabilities"] = {{"bounding", {"CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_FLYING"}},
                                        {"effective", {"CAP_CHOWN"}},
                                        {"permitted", {"CAP_CHOWN", "CAP_KILL"}},
                                        {"inheritable", {"CAP_KILL"}},
                                        {"ambient", {"CAP_CHOWN", "CAP_KILL"}}};
    HostPlan plan = plan_ok();
    auto sets = process().getCapabilities();
    EXPECT_EQ(sets.getBounding(), 1U | (1U << 21U));
    EXPECT_EQ(sets.getEffective(), 1U);
    EXPECT_EQ(sets.getPermitted(), 1U | (1U << 5U));
    EXPECT_EQ(sets.getInheritable(), 1U << 5U);
    EXPECT_EQ(sets.getAmbient(), 1U << 5U) << "the kernel allows only what is permitted and inheritable";
    ASSERT_EQ(plan.notes.size(), 2U);
    EXPECT_EQ(plan.notes[0], "process.capabilities.bounding[2]: unknown capability CAP_FLYING is left out");
}

TEST_F(Process, capabilities_absent_means_none) {
    json_["process"].erase("capabilities");
    plan_ok();
    EXPECT_FALSE(process().hasCapabilities());
}

TEST_F(Process, effective_capabilities_have_to_be_permitted) {
    EXPECT_EQ(error_with("/process/capabilities/effective", Json::array({"CAP_SYS_ADMIN"})),
              "config.json: process.capabilities.effective: has a capability that is not in permitted; add "
              "it there "
              "too");
}

TEST_F(Process, rlimits) {
    json_["process"]["rlimits"] = {{{"type", "RLIMIT_NOFILE"}, {"soft", 1}, {"hard", 2}},
                                   {{"type", "RLIMIT_CORE"}, {"soft", 0}, {"hard", 18446744073709551615U}}};
    plan_ok();
    EXPECT_EQ(process().getRlimits()[0].getResource(), 7U);
    EXPECT_EQ(process().getRlimits()[1].getHard(), UINT64_MAX);
    EXPECT_NE(error_with("/process/rlimits/0/type", "RLIMIT_FOO").find("allowed are RLIMIT_AS, RLIMIT_CORE"),
              std::string::npos);
    EXPECT_EQ(error_with("/process/rlimits/1/type", "RLIMIT_NOFILE"),
              "config.json: process.rlimits[1].type: found \"RLIMIT_NOFILE\"; each limit may be given once");
    EXPECT_EQ(error_with("/process/rlimits/0/soft", 3),
              "config.json: process.rlimits[0].soft: found 3; it may not exceed the hard limit, 2");
}

TEST_F(Process, oom_score) {
    plan_ok();
    EXPECT_FALSE(process().getHasOomScoreAdj());
    json_["process"]["oomScoreAdj"] = -1000;
    plan_ok();
    EXPECT_TRUE(process().getHasOomScoreAdj());
    EXPECT_EQ(process().getOomScoreAdj(), -1000);
    EXPECT_NE(error_with("/process/oomScoreAdj", 1001), "");
}

TEST_F(Process, io_priority) {
    json_["process"]["ioPriority"] = {{"class", "IOPRIO_CLASS_IDLE"}, {"priority", 7}};
    plan_ok();
    EXPECT_EQ(process().getIoPriorityClass(), 3);
    EXPECT_EQ(process().getIoPriorityLevel(), 7);
    EXPECT_NE(error_with("/process/ioPriority/priority", 8), "");
    EXPECT_NE(error_with("/process/ioPriority/class", "IOPRIO_CLASS_NONE"), "");
}

TEST_F(Process, scheduler) {
    plan_ok();
    EXPECT_FALSE(process().hasScheduler());
    json_["process"]["scheduler"] = {{"policy", "SCHED_FIFO"},
                                     {"priority", 99},
                                     {"flags", {"SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_KEEP_PARAMS"}}};
    plan_ok();
    EXPECT_EQ(process().getScheduler().getPolicy(), 1U);
    EXPECT_EQ(process().getScheduler().getPriority(), 99U);
    EXPECT_EQ(process().getScheduler().getFlags(), 0x11U);
    EXPECT_NE(error_with("/process/scheduler/policy", "SCHED_OTHER").find("SchedFIFO or SchedRR"),
              std::string::npos);
    EXPECT_NE(error_with("/process/scheduler/policy", nullptr), "");
    EXPECT_NE(error_with("/process/scheduler/runtime", 1).find("SchedDeadline"), std::string::npos);
    EXPECT_NE(error_with("/process/scheduler", {{"policy", "SCHED_OTHER"}, {"nice", 20}}), "");
    EXPECT_NE(error_with("/process/scheduler/flags/0", "X"), "");
    EXPECT_EQ(error_with("/process/scheduler",
                         {{"policy", "SCHED_DEADLINE"}, {"runtime", 1}, {"deadline", 2}, {"period", 3}}),
              "");
}

TEST_F(Process, cpu_affinity_concerns_exec_alone) {
    json_["process"]["execCPUAffinity"] = {{"initial", "0"}, {"final", "0-3,7"}};
    plan_ok();
    EXPECT_EQ(process().getExecCpuAffinity(), "");
    for (const char* bad : {"x", "3-1", "1,", ",1", "1-", "99999999999999999999", "0 ", "65537"})
        EXPECT_NE(error_with("/process/execCPUAffinity/final", bad), "") << bad;
    EXPECT_EQ(error_with("/process/execCPUAffinity/final", "0,2-65536"), "");
}

TEST_F(Process, labels_are_accepted_without_effect) {
    json_["process"]["apparmorProfile"] = "docker-default";
    json_["process"]["selinuxLabel"] = "a:b:c";
    json_["linux"]["mountLabel"] = "a:b:c";
    HostPlan plan = plan_ok();
    EXPECT_EQ(plan.notes.size(), 4U); // and that of the ambient capabilities
    EXPECT_EQ(plan.selinux_label, "a:b:c") << "for QEMU and virtiofsd";
}

} // namespace runvm::oci::test
