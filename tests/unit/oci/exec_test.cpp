// plan_process and plan_exec: what an exec takes from the container.

#include "bundle.h"

namespace runvm::oci::test {

class Exec : public Bundle {
protected:
    protocol::Process::Reader built() const { return built_.asReader(); }
    std::string exec(const ExecOverrides& overrides) {
        start();
        auto result = plan_exec(json_.dump(), overrides, built_, plan_);
        return result ? "" : result.error().message();
    }
    std::string exec_file(const Json& process) {
        start();
        auto result = plan_process(process.dump(), "p.json", json_.dump(), built_, plan_);
        return result ? "" : result.error().message();
    }
    void start() {
        message_ = std::make_unique<capnp::MallocMessageBuilder>();
        built_ = message_->initRoot<protocol::Process>();
        plan_ = {};
    }
    HostPlan plan_;
    protocol::Process::Builder built_{nullptr};
};

TEST_F(Exec, defaults_are_the_containers) {
    json_["process"]["user"] = {{"uid", 5}, {"gid", 6}, {"umask", 077}};
    json_["process"]["cwd"] = "/tmp";
    EXPECT_EQ(exec({.args = {"ls", "-l"}}), "");
    EXPECT_EQ(built().getArgs()[1], "-l");
    EXPECT_EQ(built().getEnv()[1], "TERM=xterm");
    EXPECT_EQ(built().getCwd(), "/tmp");
    EXPECT_EQ(built().getUser().getUid(), 5U);
    EXPECT_EQ(built().getUser().getUmask(), 077U);
    EXPECT_TRUE(built().getNoNewPrivileges());
    EXPECT_FALSE(built().getTerminal()) << "never the container's";
    EXPECT_EQ(built().getRlimits().size(), 1U);
    EXPECT_NE(built().getCapabilities().getBounding(), 0U);
}

TEST_F(Exec, overrides) {
    json_["process"]["user"] = {{"uid", 5}, {"gid", 6}, {"additionalGids", {7}}};
    EXPECT_EQ(exec({.args = {"a"},
                    .env = {"TERM=dumb", "X=y"},
                    .cwd = "/x",
                    .user = "1:2",
                    .additional_gids = {8},
                    .capabilities = {"CAP_SYS_ADMIN"},
                    .tty = true,
                    .no_new_privileges = false}),
              "");
    ASSERT_EQ(built().getEnv().size(), 3U);
    EXPECT_EQ(built().getEnv()[1], "TERM=dumb");
    EXPECT_EQ(built().getEnv()[2], "X=y");
    EXPECT_EQ(built().getCwd(), "/x");
    EXPECT_EQ(built().getUser().getUid(), 1U);
    EXPECT_EQ(built().getUser().getGid(), 2U);
    EXPECT_EQ(built().getUser().getAdditionalGids()[1], 8U);
    constexpr uint64_t sys_admin = 1U << 21U;
    EXPECT_NE(built().getCapabilities().getBounding() & sys_admin, 0U);
    EXPECT_NE(built().getCapabilities().getEffective() & sys_admin, 0U);
    EXPECT_NE(built().getCapabilities().getPermitted() & sys_admin, 0U);
    EXPECT_EQ(built().getCapabilities().getInheritable() & sys_admin, 0U);
    EXPECT_TRUE(built().getTerminal());
    EXPECT_TRUE(plan_.terminal);
    EXPECT_FALSE(built().getNoNewPrivileges());
}

TEST_F(Exec, a_user_without_a_group_keeps_the_containers_group) {
    json_["process"]["user"] = {{"uid", 5}, {"gid", 6}};
    EXPECT_EQ(exec({.args = {"a"}, .user = "9"}), "");
    EXPECT_EQ(built().getUser().getUid(), 9U);
    EXPECT_EQ(built().getUser().getGid(), 6U);
}

TEST_F(Exec, names_are_left_to_the_guest) {
    json_["process"]["user"] = {{"uid", 5}, {"gid", 6}, {"umask", 077}, {"additionalGids", {7}}};
    EXPECT_EQ(exec({.args = {"a"}, .user = "web", .additional_gids = {8}}), "");
    auto user = built().getUser();
    EXPECT_STREQ(user.getUserName().cStr(), "web");
    EXPECT_EQ(user.getGroupName().size(), 0U);
    EXPECT_FALSE(user.getHasGid());
    EXPECT_EQ(user.getUmask(), 077U);
    ASSERT_EQ(user.getAdditionalGids().size(), 1U);
    EXPECT_EQ(user.getAdditionalGids()[0], 8U);

    EXPECT_EQ(exec({.args = {"a"}, .user = "web:9"}), "");
    EXPECT_TRUE(built().getUser().getHasGid());
    EXPECT_EQ(built().getUser().getGid(), 9U);
    EXPECT_EQ(exec({.args = {"a"}, .user = "3:staff"}), "");
    EXPECT_EQ(built().getUser().getUid(), 3U);
    EXPECT_EQ(built().getUser().getUserName().size(), 0U);
    EXPECT_STREQ(built().getUser().getGroupName().cStr(), "staff");
    json_["process"].erase("user");
    EXPECT_EQ(exec({.args = {"a"}, .user = "web"}), "");
}

TEST_F(Exec, errors) {
    EXPECT_EQ(exec({}), "process args cannot be empty");
    for (const char* bad : {"1:", ":1", ":", "a:b:c", "1,2", "99999999999", "a\nb"})
        EXPECT_NE(exec({.args = {"a"}, .user = bad}), "") << bad;
    EXPECT_NE(exec({.args = {"a"}, .user = "4294967295"}), "");
    EXPECT_EQ(exec({.args = {"a"}, .cwd = "x"}), "exec: process.cwd: Cwd must be an absolute path");
    json_["process"]["user"] = "root";
    EXPECT_EQ(exec({.args = {"a"}, .user = "1"}),
              "the container's saved config.json: process.user is not an object");
    json_.erase("process");
    EXPECT_NE(exec({.args = {"a"}}), "");
}

TEST_F(Exec, a_process_file_stands_on_its_own) {
    EXPECT_EQ(exec_file({{"args", {"a"}}, {"cwd", "/"}, {"user", {{"uid", 3}, {"gid", 4}}}}), "");
    EXPECT_EQ(built().getUser().getUid(), 3U);
    EXPECT_EQ(built().getEnv().size(), 0U);
    EXPECT_FALSE(built().getNoNewPrivileges());
    EXPECT_EQ(built().getRlimits().size(), 0U);
}

TEST_F(Exec, what_a_process_file_leaves_out_is_the_containers) { // runc, newInitConfig
    json_["process"]["oomScoreAdj"] = 7;
    json_["process"]["user"]["umask"] = 077;
    json_["process"]["execCPUAffinity"] = {{"final", "1"}};
    json_["linux"]["seccomp"] = {{"defaultAction", "SCMP_ACT_ALLOW"}};
    EXPECT_EQ(exec_file({{"args", {"a"}}, {"cwd", "/"}}), "");
    EXPECT_NE(built().getCapabilities().getBounding(), 0U);
    EXPECT_EQ(built().getOomScoreAdj(), 7);
    EXPECT_EQ(built().getUser().getUmask(), 077U);
    EXPECT_EQ(built().getExecCpuAffinity(), "1");
    EXPECT_TRUE(built().hasSeccomp());
    EXPECT_EQ(exec_file({{"args", {"a"}}, {"cwd", "/"}, {"capabilities", Json::object()}}), "");
    EXPECT_EQ(built().getCapabilities().getBounding(), 0U);
}

TEST_F(Exec, process_file_errors) {
    EXPECT_EQ(exec_file({{"cwd", "/"}}), "p.json: args: args must not be empty");
    EXPECT_EQ(exec_file(Json::array()), "p.json: a process object is expected");
    EXPECT_EQ(exec_file({{"args", {"a"}}, {"cwd", "/"}, {"Env", Json::array()}}),
              "p.json: Env: keys are case-sensitive; write process.env");
}

} // namespace runvm::oci::test
