#include "agent/device_filter.h"

#include "os/fd.h"

#include <capnp/message.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

namespace runvm::agent {
namespace {

constexpr uint32_t m = BPF_DEVCG_ACC_MKNOD;
constexpr uint32_t r = BPF_DEVCG_ACC_READ;
constexpr uint32_t w = BPF_DEVCG_ACC_WRITE;

struct Request {
    char type;
    uint32_t major;
    uint32_t minor;
    uint32_t access;
};

/// Runs a program as the kernel would, for the instructions that ours have. -1: it ran off its end.
int run(const std::vector<bpf_insn>& program, const Request& request) {
    uint32_t type = request.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
    std::array<uint32_t, 3> context = {(request.access << 16U) | type, request.major, request.minor};
    std::array<uint64_t, 11> registers{};
    for (size_t at = 0; at < program.size(); ++at) {
        const bpf_insn& insn = program[at];
        uint64_t& target = registers[insn.dst_reg];
        auto value = static_cast<uint32_t>(insn.imm);
        switch (insn.code) {
        case BPF_LDX | BPF_W | BPF_MEM:
            target = context[static_cast<size_t>(insn.off) / 4];
            break;
        case BPF_ALU | BPF_MOV | BPF_X:
            target = static_cast<uint32_t>(registers[insn.src_reg]);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            target = static_cast<uint32_t>(target) & value;
            break;
        case BPF_ALU | BPF_RSH | BPF_K:
            target = static_cast<uint32_t>(target) >> value;
            break;
        case BPF_ALU64 | BPF_MOV | BPF_K:
            target = value;
            break;
        case BPF_JMP32 | BPF_JNE | BPF_K:
            if (static_cast<uint32_t>(target) != value)
                at += static_cast<size_t>(insn.off);
            break;
        case BPF_JMP32 | BPF_JEQ | BPF_K:
            if (static_cast<uint32_t>(target) == value)
                at += static_cast<size_t>(insn.off);
            break;
        case BPF_JMP | BPF_EXIT:
            return static_cast<int>(registers[0]);
        default:
            ADD_FAILURE() << "unknown instruction " << int{insn.code};
            return -1;
        }
    }
    return -1;
}

/// What config-linux.md says: for each kind of access the last matching rule decides.
bool expected(const std::vector<DeviceAccessRule>& rules, const Request& request) {
    for (uint32_t kind : {m, r, w}) {
        if ((request.access & kind) == 0)
            continue;
        bool allowed = false;
        for (const DeviceAccessRule& rule : rules) {
            if (rule.type != 'a' && rule.type != request.type)
                continue;
            if (rule.major >= 0 && rule.major != request.major)
                continue;
            if (rule.minor >= 0 && rule.minor != request.minor)
                continue;
            if ((rule.access & kind) != 0)
                allowed = rule.allow;
        }
        if (!allowed)
            return false;
    }
    return true;
}

const std::vector<std::vector<DeviceAccessRule>>& rule_lists() {
    static const std::vector<std::vector<DeviceAccessRule>> lists = {
        {},
        {{true, 'a', -1, -1, m | r | w}},
        {{false, 'a', -1, -1, m | r | w}},
        {{false, 'a', -1, -1, m | r | w},
         {true, 'c', 1, 3, m | r | w},
         {true, 'c', 1, 5, r},
         {true, 'b', 8, -1, r | w}},
        {{true, 'c', 1, 3, r}, {true, 'c', 1, 3, w}},
        {{true, 'c', 1, 3, m | r | w}, {false, 'c', 1, 3, w}},
        {{true, 'a', -1, -1, m | r | w}, {false, 'c', 1, -1, m}, {true, 'c', 1, 5, m | r}},
        {{true, 'c', -1, -1, m},
         {true, 'b', -1, -1, m},
         {false, 'b', 8, 0, m | r | w},
         {true, 'c', 0xffffffff, 1, r}},
    };
    return lists;
}

TEST(DeviceFilter, DecidesAsTheSpecificationSays) {
    for (size_t list = 0; list < rule_lists().size(); ++list) {
        std::vector<bpf_insn> program = device_program(rule_lists()[list]);
        for (char type : {'b', 'c'})
            for (uint32_t major : {1U, 8U, 0xffffffffU})
                for (uint32_t minor : {0U, 1U, 3U, 5U})
                    for (uint32_t access = 1; access < 8; ++access) {
                        Request request{type, major, minor, access};
                        EXPECT_EQ(run(program, request), expected(rule_lists()[list], request) ? 1 : 0)
                            << "list " << list << " " << type << " " << major << ":" << minor << " "
                            << access;
                    }
    }
}

TEST(DeviceFilter, IsAcceptedByTheKernel) {
    for (const auto& rules : rule_lists()) {
        std::vector<bpf_insn> program = device_program(rules);
        std::array<char, 4096> log{};
        bpf_attr attributes{};
        attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
        attributes.insns = reinterpret_cast<uint64_t>(program.data());
        attributes.insn_cnt = static_cast<uint32_t>(program.size());
        attributes.license = reinterpret_cast<uint64_t>("Apache-2.0");
        attributes.log_buf = reinterpret_cast<uint64_t>(log.data());
        attributes.log_size = log.size();
        attributes.log_level = 1;
        os::Fd loaded(static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes)));
        if (!loaded && (errno == EPERM || errno == ENOSYS))
            GTEST_SKIP() << "this kernel or user may not load programs";
        EXPECT_TRUE(loaded) << log.data();
    }
}

TEST(DeviceFilter, IsTheKnownProgram) {
    std::vector<bpf_insn> program =
        device_program({{false, 'a', -1, -1, m | r | w}, {true, 'c', 1, 3, r | w}});
    const std::vector<std::array<int, 5>> golden = {
        {0x61, 2, 1, 0, 0},                                               // type = context.access_type
        {0xbc, 3, 2, 0, 0},                                               // wanted = type
        {0x54, 2, 0, 0, 0xffff}, {0x74, 3, 0, 0, 16}, {0x61, 4, 1, 4, 0}, // major
        {0x61, 5, 1, 8, 0},                                               // minor
        {0x56, 2, 0, 6, 2},                                               // a character device?
        {0x56, 4, 0, 5, 1},      {0x56, 5, 0, 4, 3},  {0x54, 3, 0, 0, 1}, // mknod is left
        {0x56, 3, 0, 2, 0},      {0xb7, 0, 0, 0, 1},  {0x95, 0, 0, 0, 0}, // allowed
        {0xb7, 0, 0, 0, 0},      {0x95, 0, 0, 0, 0},                      // denied
    };
    ASSERT_EQ(program.size(), golden.size());
    for (size_t i = 0; i < golden.size(); ++i) {
        std::array<int, 5> made = {program[i].code, program[i].dst_reg, program[i].src_reg, program[i].off,
                                   program[i].imm};
        EXPECT_EQ(made, golden[i]) << "instruction " << i;
    }
}

TEST(DeviceRules, AreChecked) {
    capnp::MallocMessageBuilder message;
    auto rule = message.initRoot<protocol::DeviceRule>();
    rule.setType('c');
    rule.setMajor(1);
    rule.setAccess("rm");
    Result<DeviceAccessRule> made = device_rule(rule);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->access, m | r);
    EXPECT_EQ(made->major, 1);
    EXPECT_EQ(made->minor, -1);
    rule.setType('a');
    EXPECT_EQ(device_rule(rule)->major, -1);
    rule.setAccess("rx");
    EXPECT_FALSE(device_rule(rule));
    rule.setAccess("r");
    rule.setType('p');
    EXPECT_FALSE(device_rule(rule));
}

} // namespace
} // namespace runvm::agent
