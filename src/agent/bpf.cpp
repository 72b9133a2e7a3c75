#include "agent/bpf.h"

#include "os/fd.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <string>

namespace runvm::agent {

namespace {

long bpf(int command, bpf_attr& attributes) {
    return ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

} // namespace

bpf_insn bpf_instruction(uint8_t code, uint8_t target, uint8_t source, int16_t offset, int32_t value) {
    bpf_insn made{};
    made.code = code;
    made.dst_reg = target;
    made.src_reg = source;
    made.off = offset;
    made.imm = value;
    return made;
}

Result<void> attach_bpf_program(int cgroup, bpf_prog_type type, bpf_attach_type place,
                                const BpfProgram& program, const char* what) {
    static constexpr char license[] = "Apache-2.0";
    bpf_attr load_attributes{};
    load_attributes.prog_type = type;
    load_attributes.expected_attach_type = place;
    load_attributes.insns = reinterpret_cast<uint64_t>(program.data());
    load_attributes.insn_cnt = static_cast<uint32_t>(program.size());
    load_attributes.license = reinterpret_cast<uint64_t>(license);
    os::Fd loaded(static_cast<int>(bpf(BPF_PROG_LOAD, load_attributes)));
    if (!loaded)
        return system_error(std::string("load ") + what);

    bpf_attr attach_attributes{};
    attach_attributes.target_fd = static_cast<uint32_t>(cgroup);
    attach_attributes.attach_bpf_fd = static_cast<uint32_t>(loaded.get());
    attach_attributes.attach_type = place;
    attach_attributes.attach_flags = BPF_F_ALLOW_MULTI;
    if (bpf(BPF_PROG_ATTACH, attach_attributes) != 0)
        return system_error(std::string("attach ") + what);
    return {};
}

} // namespace runvm::agent
