#include "agent/device_filter.h"

#include "os/fd.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <string>

namespace runvm::agent {

namespace {

constexpr uint32_t every_access = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;

// struct bpf_cgroup_dev_ctx: access_type (access in the upper 16 bits, type in the lower), major, minor.
constexpr uint8_t context = BPF_REG_1;
constexpr uint8_t type = BPF_REG_2;
constexpr uint8_t wanted = BPF_REG_3; ///< the access that no rule has decided yet
constexpr uint8_t major_number = BPF_REG_4;
constexpr uint8_t minor_number = BPF_REG_5;
constexpr uint8_t overlap = BPF_REG_6;

bpf_insn instruction(uint8_t code, uint8_t target, uint8_t source, int16_t offset, int32_t value) {
    bpf_insn made{};
    made.code = code;
    made.dst_reg = target;
    made.src_reg = source;
    made.off = offset;
    made.imm = value;
    return made;
}

bpf_insn load(uint8_t target, int16_t offset) {
    return instruction(BPF_LDX | BPF_W | BPF_MEM, target, context, offset, 0);
}

bpf_insn compute(uint8_t operation, uint8_t target, uint32_t value) {
    return instruction(BPF_ALU | operation | BPF_K, target, 0, 0, static_cast<int32_t>(value));
}

/// A jump over the rest of the rule; its distance is filled in by end_rule.
bpf_insn skip_rule_if(uint8_t comparison, uint8_t target, uint32_t value) {
    return instruction(BPF_JMP32 | comparison | BPF_K, target, 0, 0, static_cast<int32_t>(value));
}

bool is_conditional_jump(const bpf_insn& made) {
    return (made.code & 0x07) == BPF_JMP32;
}

void append_verdict(std::vector<bpf_insn>& program, bool allowed) {
    program.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allowed ? 1 : 0));
    program.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

void append_rule(std::vector<bpf_insn>& program, const DeviceAccessRule& rule) {
    size_t begin = program.size();
    if (rule.type != 'a') {
        uint32_t number = rule.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
        program.push_back(skip_rule_if(BPF_JNE, type, number));
    }
    if (rule.major >= 0)
        program.push_back(skip_rule_if(BPF_JNE, major_number, static_cast<uint32_t>(rule.major)));
    if (rule.minor >= 0)
        program.push_back(skip_rule_if(BPF_JNE, minor_number, static_cast<uint32_t>(rule.minor)));
    if (rule.access != every_access) {
        if (rule.allow) {
            program.push_back(compute(BPF_AND, wanted, every_access & ~rule.access));
            program.push_back(skip_rule_if(BPF_JNE, wanted, 0));
        } else {
            program.push_back(instruction(BPF_ALU | BPF_MOV | BPF_X, overlap, wanted, 0, 0));
            program.push_back(compute(BPF_AND, overlap, rule.access));
            program.push_back(skip_rule_if(BPF_JEQ, overlap, 0));
        }
    }
    append_verdict(program, rule.allow);
    for (size_t i = begin; i < program.size(); ++i)
        if (is_conditional_jump(program[i]))
            program[i].off = static_cast<int16_t>(program.size() - i - 1);
}

bool always_decides(const DeviceAccessRule& rule) {
    return rule.type == 'a' && rule.major < 0 && rule.minor < 0 && rule.access == every_access;
}

long bpf(int command, bpf_attr& attributes) {
    return ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

} // namespace

Result<DeviceAccessRule> device_rule(protocol::DeviceRule::Reader rule) {
    DeviceAccessRule made;
    made.allow = rule.getAllow();
    made.type = static_cast<char>(rule.getType());
    made.major = rule.getMajor();
    made.minor = rule.getMinor();
    if (made.type != 'a' && made.type != 'b' && made.type != 'c')
        return Error(ErrorKind::invalid_argument, "device rule: the type is none of a, b, c");
    if (made.type == 'a')
        made.major = made.minor = -1; // config-linux.md: "a" means every device
    std::string access = rule.getAccess().size() > 0 ? rule.getAccess().cStr() : "rwm";
    for (char letter : access) {
        switch (letter) {
        case 'r':
            made.access |= BPF_DEVCG_ACC_READ;
            break;
        case 'w':
            made.access |= BPF_DEVCG_ACC_WRITE;
            break;
        case 'm':
            made.access |= BPF_DEVCG_ACC_MKNOD;
            break;
        default:
            return Error(ErrorKind::invalid_argument,
                         "device rule: the access `" + access + "` is not of \"rwm\"");
        }
    }
    return made;
}

std::vector<bpf_insn> device_program(const std::vector<DeviceAccessRule>& rules) {
    std::vector<bpf_insn> program = {
        load(type, 0),
        instruction(BPF_ALU | BPF_MOV | BPF_X, wanted, type, 0, 0),
        compute(BPF_AND, type, 0xffff),
        compute(BPF_RSH, wanted, 16),
        load(major_number, 4),
        load(minor_number, 8),
    };
    for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) {
        append_rule(program, *rule);
        // The verifier refuses instructions that cannot be reached.
        if (always_decides(*rule))
            return program;
    }
    append_verdict(program, false);
    return program;
}

Result<void> attach_device_program(int cgroup, const std::vector<bpf_insn>& program) {
    static constexpr char license[] = "Apache-2.0";
    bpf_attr load_attributes{};
    load_attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    load_attributes.insns = reinterpret_cast<uint64_t>(program.data());
    load_attributes.insn_cnt = static_cast<uint32_t>(program.size());
    load_attributes.license = reinterpret_cast<uint64_t>(license);
    os::Fd loaded(static_cast<int>(bpf(BPF_PROG_LOAD, load_attributes)));
    if (!loaded)
        return system_error("load the device program");

    bpf_attr attach_attributes{};
    attach_attributes.target_fd = static_cast<uint32_t>(cgroup);
    attach_attributes.attach_bpf_fd = static_cast<uint32_t>(loaded.get());
    attach_attributes.attach_type = BPF_CGROUP_DEVICE;
    attach_attributes.attach_flags = BPF_F_ALLOW_MULTI;
    if (bpf(BPF_PROG_ATTACH, attach_attributes) != 0)
        return system_error("attach the device program");
    return {};
}

} // namespace runvm::agent
