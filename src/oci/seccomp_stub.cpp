#include "oci/seccomp_stub.h"

#include <linux/seccomp.h>
#include <seccomp.h>

#include <cerrno>
#include <cstddef>

namespace runvm::oci {

namespace {

constexpr uint32_t x32_bit = 0x40000000; // __X32_SYSCALL_BIT

sock_filter load(size_t offset) {
    return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset));
}

sock_filter return_enosys() {
    return BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
}

// ENOSYS if the loaded number is greater, else on to the next instruction.
void append_check(std::vector<sock_filter>& section, uint32_t last) {
    section.push_back(BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last, 0, 1));
    section.push_back(return_enosys());
}

// What is done for one AUDIT_ARCH_*: x86-64 has two numberings, told apart by a bit of the number.
std::vector<sock_filter> section_of(uint32_t audit_arch, const LastSystemCalls& last) {
    std::vector<sock_filter> section = {load(offsetof(seccomp_data, nr))};
    auto normal = last.find(audit_arch);
    auto x32 = audit_arch == SCMP_ARCH_X86_64 ? last.find(SCMP_ARCH_X32) : last.end();
    if (audit_arch != SCMP_ARCH_X86_64) {
        append_check(section, normal->second);
        return section;
    }
    std::vector<sock_filter> normal_part;
    std::vector<sock_filter> x32_part;
    if (normal != last.end())
        append_check(normal_part, normal->second);
    if (x32 != last.end())
        append_check(x32_part, x32->second | x32_bit);
    // With the bit set: over the normal part and the jump at its end.
    section.push_back(
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, x32_bit, static_cast<uint8_t>(normal_part.size() + 1), 0));
    section.insert(section.end(), normal_part.begin(), normal_part.end());
    section.push_back(BPF_JUMP(BPF_JMP | BPF_JA, static_cast<uint32_t>(x32_part.size()), 0, 0));
    section.insert(section.end(), x32_part.begin(), x32_part.end());
    return section;
}

} // namespace

std::vector<sock_filter> enosys_stub(const LastSystemCalls& last) {
    std::map<uint32_t, std::vector<sock_filter>>
        sections; // by AUDIT_ARCH_*, which SCMP_ARCH_* is but for x32
    for (const auto& [arch, number] : last) {
        uint32_t audit_arch = arch == SCMP_ARCH_X32 ? SCMP_ARCH_X86_64 : arch;
        sections[audit_arch] = section_of(audit_arch, last);
    }
    std::vector<sock_filter> stub;
    for (const auto& [audit_arch, section] : sections) {
        // Each section loads the architecture anew: the one before has loaded the number.
        stub.push_back(load(offsetof(seccomp_data, arch)));
        stub.push_back(
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, audit_arch, 0, static_cast<uint8_t>(section.size())));
        stub.insert(stub.end(), section.begin(), section.end());
    }
    return stub;
}

} // namespace runvm::oci
