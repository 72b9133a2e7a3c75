#include "agent/name_redirect.h"

#include "network/resolver.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>

namespace runvm::agent {
namespace {

/// Runs a program as the kernel would, for the instructions that ours have. -1: it ran off its end.
int run(const BpfProgram& program, bpf_sock_addr& peer) {
    std::array<uint64_t, 11> registers{};
    auto* context = reinterpret_cast<unsigned char*>(&peer);
    for (size_t at = 0; at < program.size(); ++at) {
        const bpf_insn& insn = program[at];
        uint64_t& target = registers[insn.dst_reg];
        auto value = static_cast<uint32_t>(insn.imm);
        switch (insn.code) {
        case BPF_LDX | BPF_W | BPF_MEM:
            target = 0;
            std::memcpy(&target, context + insn.off, 4);
            break;
        case BPF_STX | BPF_W | BPF_MEM:
            std::memcpy(context + insn.off, &registers[insn.src_reg], 4);
            break;
        case BPF_ALU | BPF_MOV | BPF_K:
        case BPF_ALU64 | BPF_MOV | BPF_K:
            target = value;
            break;
        case BPF_JMP32 | BPF_JNE | BPF_K:
            if (static_cast<uint32_t>(target) != value)
                at += static_cast<size_t>(insn.off);
            break;
        case BPF_JMP | BPF_EXIT:
            return static_cast<int>(registers[0]);
        default:
            ADD_FAILURE() << "an instruction that the test does not know: " << int{insn.code};
            return -1;
        }
    }
    return -1;
}

/// The port after the program has seen the peer.
uint16_t port_after(const BpfProgram& program, uint32_t address, uint16_t port) {
    bpf_sock_addr peer{};
    peer.user_ip4 = htonl(address);
    peer.user_port = htons(port);
    EXPECT_EQ(run(program, peer), 1);
    EXPECT_EQ(peer.user_ip4, htonl(address));
    return ntohs(static_cast<uint16_t>(peer.user_port));
}

TEST(PortProgram, ChangesThePortOfTheResolver) {
    EXPECT_EQ(port_after(port_program(53, 40000), network::resolver_address, 53), 40000);
    EXPECT_EQ(port_after(port_program(40000, 53), network::resolver_address, 40000), 53);
}

TEST(PortProgram, LeavesOtherPortsAlone) {
    EXPECT_EQ(port_after(port_program(53, 40000), network::resolver_address, 5353), 5353);
    EXPECT_EQ(port_after(port_program(53, 40000), network::resolver_address, 13568), 13568); // 53 swapped
}

TEST(PortProgram, LeavesOtherAddressesAlone) {
    EXPECT_EQ(port_after(port_program(53, 40000), 0x7f000001, 53), 53);
    EXPECT_EQ(port_after(port_program(53, 40000), 0x0b00007f, 53), 53);
}

} // namespace
} // namespace runvm::agent
