#include "agent/name_redirect.h"

#include "network/resolver.h"

#include <arpa/inet.h>

#include <array>
#include <cstddef>

namespace runvm::agent {

namespace {

constexpr uint8_t context = BPF_REG_1;
constexpr uint8_t value = BPF_REG_2;

constexpr auto address_offset = static_cast<int16_t>(offsetof(bpf_sock_addr, user_ip4));
constexpr auto port_offset = static_cast<int16_t>(offsetof(bpf_sock_addr, user_port));

bpf_insn load(int16_t offset) {
    return bpf_instruction(BPF_LDX | BPF_W | BPF_MEM, value, context, offset, 0);
}

bpf_insn jump_unless(uint32_t expected, int16_t distance) {
    return bpf_instruction(BPF_JMP32 | BPF_JNE | BPF_K, value, 0, distance, static_cast<int32_t>(expected));
}

} // namespace

BpfProgram port_program(uint16_t from, uint16_t to) {
    return {
        load(address_offset),
        jump_unless(htonl(network::resolver_address), 4),
        load(port_offset),
        jump_unless(htons(from), 2),
        bpf_instruction(BPF_ALU | BPF_MOV | BPF_K, value, 0, 0, htons(to)),
        bpf_instruction(BPF_STX | BPF_W | BPF_MEM, context, value, port_offset, 0),
        bpf_instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1), // it goes on
        bpf_instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    };
}

Result<void> redirect_names(int cgroup, uint16_t port) {
    const BpfProgram there = port_program(network::name_port, port);
    const BpfProgram back = port_program(port, network::name_port);
    for (bpf_attach_type place : {BPF_CGROUP_UDP4_RECVMSG, BPF_CGROUP_INET4_GETPEERNAME})
        RUNVM_TRY(attach_bpf_program(cgroup, BPF_PROG_TYPE_CGROUP_SOCK_ADDR, place, back,
                                     "the program for a resolver's answers"));
    for (bpf_attach_type place : {BPF_CGROUP_INET4_CONNECT, BPF_CGROUP_UDP4_SENDMSG})
        RUNVM_TRY(attach_bpf_program(cgroup, BPF_PROG_TYPE_CGROUP_SOCK_ADDR, place, there,
                                     "the program for a resolver's queries"));
    return {};
}

} // namespace runvm::agent
