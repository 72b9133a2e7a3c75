#include "agent/device_filter.h"

#include "agent/bpf.h"

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

bpf_insn load(uint8_t target, int16_t offset) {
    return bpf_instruction(BPF_LDX | BPF_W | BPF_MEM, target, context, offset, 0);
}

bpf_insn compute(uint8_t operation, uint8_t target, uint32_t value) {
    return bpf_instruction(BPF_ALU | operation | BPF_K, target, 0, 0, static_cast<int32_t>(value));
}

/// A jump over the rest of the rule; its distance is filled in by end_rule.
bpf_insn skip_rule_if(uint8_t comparison, uint8_t target, uint32_t value) {
    return bpf_instruction(BPF_JMP32 | comparison | BPF_K, target, 0, 0, static_cast<int32_t>(value));
}

bool is_conditional_jump(const bpf_insn& made) {
    return (made.code & 0x07) == BPF_JMP32;
}

void append_verdict(std::vector<bpf_insn>& program, bool allowed) {
    program.push_back(bpf_instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allowed ? 1 : 0));
    program.push_back(bpf_instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
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
            program.push_back(bpf_instruction(BPF_ALU | BPF_MOV | BPF_X, overlap, wanted, 0, 0));
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
        bpf_instruction(BPF_ALU | BPF_MOV | BPF_X, wanted, type, 0, 0),
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
    return attach_bpf_program(cgroup, BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE, program,
                              "the device program");
}

} // namespace runvm::agent
