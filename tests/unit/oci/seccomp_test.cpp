// config-linux.md, "seccomp": the program is run here, by an interpreter and by this machine's kernel.

#include "bundle.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace runvm::oci::test {

namespace {

constexpr uint32_t allow = SECCOMP_RET_ALLOW;
constexpr uint32_t eperm = SECCOMP_RET_ERRNO | EPERM;
constexpr uint32_t enosys = SECCOMP_RET_ERRNO | ENOSYS;
constexpr uint32_t x32_bit = 0x40000000;

// The classic BPF that seccomp programs consist of. Returns the action; fails the test on what it does not
// know.
uint32_t interpret(const std::vector<sock_filter>& program, const seccomp_data& data) {
    uint32_t a = 0;
    for (size_t pc = 0; pc < program.size(); ++pc) {
        const sock_filter& insn = program[pc];
        auto jump = [&](bool taken) { pc += taken ? insn.jt : insn.jf; };
        switch (insn.code) {
        case BPF_LD | BPF_W | BPF_ABS:
            std::memcpy(&a, reinterpret_cast<const char*>(&data) + insn.k, sizeof(a));
            break;
        case BPF_JMP | BPF_JA:
            pc += insn.k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            jump(a == insn.k);
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            jump(a > insn.k);
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            jump(a >= insn.k);
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            jump((a & insn.k) != 0);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= insn.k;
            break;
        case BPF_RET | BPF_K:
            return insn.k;
        default:
            ADD_FAILURE() << "unknown instruction " << insn.code;
            return 0;
        }
    }
    ADD_FAILURE() << "ran off the end";
    return 0;
}

} // namespace

class Seccomp : public Bundle {
protected:
    void set(const Json& profile) {
        json_["linux"]["seccomp"] = profile;
        plan_ok();
        auto bytes = process().getSeccomp().getProgram();
        program_.resize(bytes.size() / sizeof(sock_filter));
        ASSERT_EQ(bytes.size() % sizeof(sock_filter), 0U);
        std::memcpy(program_.data(), bytes.begin(), bytes.size());
    }
    uint32_t run(uint32_t nr, uint64_t arg0 = 0, uint32_t arch = AUDIT_ARCH_X86_64) {
        seccomp_data data{};
        data.nr = static_cast<int>(nr);
        data.arch = arch;
        data.args[0] = arg0;
        return interpret(program_, data);
    }
    static Json rule(std::vector<std::string> names, const char* action, Json args = Json::array()) {
        return {{"names", std::move(names)}, {"action", action}, {"args", std::move(args)}};
    }
    static Json argument(unsigned index, uint64_t value, const char* op, uint64_t value_two = 0) {
        return {{"index", index}, {"value", value}, {"valueTwo", value_two}, {"op", op}};
    }
    std::vector<sock_filter> program_;
};

TEST_F(Seccomp, none) {
    plan_ok();
    EXPECT_FALSE(process().hasSeccomp());
    json_["linux"]["seccomp"] = Json::object(); // as runc: no default action and no rules
    plan_ok();
    EXPECT_FALSE(process().hasSeccomp());
}

TEST_F(Seccomp, deny_a_few) {
    set({{"defaultAction", "SCMP_ACT_ALLOW"},
         {"syscalls", Json::array({rule({"mkdir", "no_such_call"}, "SCMP_ACT_ERRNO"),
                                   rule({"reboot"}, "SCMP_ACT_KILL")})}});
    EXPECT_EQ(run(SYS_mkdir), eperm);
    EXPECT_EQ(run(SYS_reboot), SECCOMP_RET_KILL_THREAD);
    EXPECT_EQ(run(SYS_read), allow);
    EXPECT_EQ(run(9999), allow) << "no stub where everything else is allowed";
    EXPECT_NE(
        plan_ok().notes.back().find("linux.seccomp.syscalls[0].names[1]: unknown system call no_such_call"),
        std::string::npos);
}

TEST_F(Seccomp, calls_newer_than_the_profile_get_enosys) {
    set({{"defaultAction", "SCMP_ACT_ERRNO"},
         {"architectures", {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}},
         {"syscalls", Json::array({rule({"read", "write", "statx"}, "SCMP_ACT_ALLOW")})}});
    EXPECT_EQ(run(SYS_read), allow);
    EXPECT_EQ(run(SYS_statx), allow);
    EXPECT_EQ(run(SYS_mkdir), eperm);
    EXPECT_EQ(run(SYS_statx + 1), enosys);
    EXPECT_EQ(run(SYS_read | x32_bit), allow);
    EXPECT_EQ(run(SYS_mkdir | x32_bit), eperm);
    EXPECT_EQ(run((SYS_statx + 1) | x32_bit), enosys);
    constexpr uint32_t i386_statx = 383;
    EXPECT_EQ(run(i386_statx, 0, AUDIT_ARCH_I386), allow);
    EXPECT_EQ(run(39, 0, AUDIT_ARCH_I386), eperm); // mkdir
    EXPECT_EQ(run(i386_statx + 1, 0, AUDIT_ARCH_I386), enosys);
    EXPECT_EQ(run(SYS_read, 0, AUDIT_ARCH_AARCH64), uint32_t{SECCOMP_RET_KILL_THREAD});
}

TEST_F(Seccomp, without_x32_its_calls_are_the_filters_business) {
    set({{"defaultAction", "SCMP_ACT_ERRNO"},
         {"syscalls", Json::array({rule({"write"}, "SCMP_ACT_ALLOW")})}});
    EXPECT_EQ(run(SYS_write), allow);
    EXPECT_EQ(run(SYS_read), eperm);
    EXPECT_EQ(run(SYS_open), enosys);
    EXPECT_EQ(run(SYS_write | x32_bit), uint32_t{SECCOMP_RET_KILL_THREAD});
}

TEST_F(Seccomp, errno_values) {
    set({{"defaultAction", "SCMP_ACT_ERRNO"},
         {"defaultErrnoRet", ENOSYS},
         {"syscalls", Json::array({rule({"read"}, "SCMP_ACT_ALLOW")})}});
    EXPECT_EQ(run(SYS_mkdir), enosys);
    Json denied = rule({"mkdir"}, "SCMP_ACT_ERRNO");
    denied["errnoRet"] = EACCES;
    set({{"defaultAction", "SCMP_ACT_ALLOW"}, {"syscalls", Json::array({denied})}});
    EXPECT_EQ(run(SYS_mkdir), uint32_t{SECCOMP_RET_ERRNO | EACCES});
    denied["action"] = "SCMP_ACT_TRACE";
    set({{"defaultAction", "SCMP_ACT_ALLOW"}, {"syscalls", Json::array({denied})}});
    EXPECT_EQ(run(SYS_mkdir), uint32_t{SECCOMP_RET_TRACE | EACCES});
    EXPECT_NE(error_with("/linux/seccomp/syscalls/0/action", "SCMP_ACT_KILL").find("has no errno"),
              std::string::npos);
    EXPECT_NE(error_with("/linux/seccomp/syscalls/0/errnoRet", 65536), "");
}

TEST_F(Seccomp, every_action) {
    const std::pair<const char*, uint32_t> actions[] = {
        {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD},
        {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD},
        {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
        {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP},
        {"SCMP_ACT_ERRNO", eperm},
        {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE | EPERM},
        {"SCMP_ACT_LOG", SECCOMP_RET_LOG},
    };
    for (const auto& [name, value] : actions) {
        set({{"defaultAction", "SCMP_ACT_ALLOW"}, {"syscalls", Json::array({rule({"mkdir"}, name)})}});
        EXPECT_EQ(run(SYS_mkdir), value) << name;
    }
}

TEST_F(Seccomp, every_operator) {
    const std::tuple<const char*, uint64_t, uint64_t, uint64_t, bool> cases[] = {
        // operator, value, valueTwo, argument, matches
        {"SCMP_CMP_EQ", 5, 0, 5, true},
        {"SCMP_CMP_EQ", 5, 0, 6, false},
        {"SCMP_CMP_NE", 5, 0, 6, true},
        {"SCMP_CMP_NE", 5, 0, 5, false},
        {"SCMP_CMP_LT", 5, 0, 4, true},
        {"SCMP_CMP_LT", 5, 0, 5, false},
        {"SCMP_CMP_LE", 5, 0, 5, true},
        {"SCMP_CMP_LE", 5, 0, 6, false},
        {"SCMP_CMP_GE", 5, 0, 5, true},
        {"SCMP_CMP_GE", 5, 0, 4, false},
        {"SCMP_CMP_GT", 5, 0, 1ULL << 40U, true},
        {"SCMP_CMP_GT", 5, 0, 5, false},
        {"SCMP_CMP_MASKED_EQ", 0xf0, 0x10, 0x1f, true},
        {"SCMP_CMP_MASKED_EQ", 0xf0, 0x10, 0x2f, false},
    };
    for (const auto& [op, value, value_two, given, matches] : cases) {
        set({{"defaultAction", "SCMP_ACT_ALLOW"},
             {"syscalls", Json::array({rule({"mkdir"}, "SCMP_ACT_ERRNO",
                                            Json::array({argument(0, value, op, value_two)}))})}});
        EXPECT_EQ(run(SYS_mkdir, given), matches ? eperm : allow) << op << " " << given;
    }
}

TEST_F(Seccomp, two_conditions_on_one_argument_are_alternatives) { // as in runc
    set({{"defaultAction", "SCMP_ACT_ERRNO"},
         {"syscalls",
          Json::array({rule({"mkdir"}, "SCMP_ACT_ALLOW",
                            Json::array({argument(0, 1, "SCMP_CMP_EQ"), argument(0, 2, "SCMP_CMP_EQ")}))})}});
    EXPECT_EQ(run(SYS_mkdir, 1), allow);
    EXPECT_EQ(run(SYS_mkdir, 2), allow);
    EXPECT_EQ(run(SYS_mkdir, 3), eperm);
}

TEST_F(Seccomp, the_same_rule_twice) {
    set({{"defaultAction", "SCMP_ACT_ERRNO"},
         {"syscalls",
          Json::array({rule({"mkdir", "mkdir"}, "SCMP_ACT_ALLOW"), rule({"mkdir"}, "SCMP_ACT_ALLOW")})}});
    EXPECT_EQ(run(SYS_mkdir), allow);
}

TEST_F(Seccomp, flags) {
    set({{"defaultAction", "SCMP_ACT_ALLOW"}});
    EXPECT_EQ(process().getSeccomp().getFlags(), uint32_t{SECCOMP_FILTER_FLAG_SPEC_ALLOW})
        << "runc's default";
    set({{"defaultAction", "SCMP_ACT_ALLOW"}, {"flags", Json::array()}});
    EXPECT_EQ(process().getSeccomp().getFlags(), 0U);
    set({{"defaultAction", "SCMP_ACT_ALLOW"},
         {"flags", {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"}}});
    EXPECT_EQ(process().getSeccomp().getFlags(), uint32_t{SECCOMP_FILTER_FLAG_LOG});
    EXPECT_EQ(error_kind_with("/linux/seccomp/flags/0", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"),
              ErrorKind::unsupported);
    EXPECT_NE(error_with("/linux/seccomp/flags/0", "X"), "");
}

TEST_F(Seccomp, refusals) {
    set({{"defaultAction", "SCMP_ACT_ALLOW"},
         {"architectures", {"SCMP_ARCH_X86"}},
         {"syscalls",
          Json::array({rule({"mkdir"}, "SCMP_ACT_ERRNO", Json::array({argument(0, 1, "SCMP_CMP_EQ")}))})}});
    EXPECT_EQ(error_kind_with("/linux/seccomp/defaultAction", "SCMP_ACT_NOTIFY"), ErrorKind::unsupported);
    EXPECT_EQ(error_kind_with("/linux/seccomp/syscalls/0/action", "SCMP_ACT_NOTIFY"), ErrorKind::unsupported);
    EXPECT_NE(error_with("/linux/seccomp/defaultAction", "X").find("allowed are SCMP_ACT_ALLOW"),
              std::string::npos);
    EXPECT_NE(error_with("/linux/seccomp/architectures/0", "X").find("allowed are SCMP_ARCH_"),
              std::string::npos);
    EXPECT_NE(error_with("/linux/seccomp/syscalls/0/args/0/op", "X").find("allowed are SCMP_CMP_EQ"),
              std::string::npos);
    EXPECT_NE(error_with("/linux/seccomp/syscalls/0/args/0/index", 6), "");
    EXPECT_NE(error_with("/linux/seccomp/syscalls/0/names", Json::array()), "");
    EXPECT_EQ(error_with("/linux/seccomp/syscalls/0/names/0", ""),
              "config.json: linux.seccomp.syscalls[0].names[0]: empty string is not a valid syscall");
}

TEST_F(Seccomp, dockers_profile) {
    Json docker = Json::parse(read_source_file("tests/data/bundles/docker/config.json"));
    set(docker["linux"]["seccomp"]);
    EXPECT_EQ(run(SYS_openat), allow);
    EXPECT_EQ(run(SYS_mount), eperm);
    EXPECT_EQ(run(SYS_personality, 0), allow);
    EXPECT_EQ(run(SYS_personality, 0x20000), allow);
    EXPECT_EQ(run(SYS_personality, 0x40000), eperm);
    EXPECT_EQ(run(SYS_clone3), enosys);
    EXPECT_EQ(run(900), enosys);
}

// The kernel takes the program and does what it says.
TEST_F(Seccomp, the_kernel_obeys) {
    set({{"defaultAction", "SCMP_ACT_ALLOW"},
         {"syscalls", Json::array({rule({"getppid"}, "SCMP_ACT_ERRNO")})}});
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        sock_fprog filter{static_cast<unsigned short>(program_.size()), program_.data()};
        if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
            ::_exit(10);
        if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0)
            ::_exit(11);
        errno = 0;
        ::_exit(::syscall(SYS_getppid) == -1 && errno == EPERM ? 0 : 12);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

} // namespace runvm::oci::test
