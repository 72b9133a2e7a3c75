#include "vm/kvm_probe.h"

#include "core/defer.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/process.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>

// The guest, at 0x8000 of its memory. It says R in real mode, L when it has come to long mode as a kernel
// does, and K when what a kernel does at once there has worked: system call registers, cpuid, a new page
// table, the stack.
asm(R"(
    .pushsection .rodata
    .globl runvm_kvm_probe_begin, runvm_kvm_probe_end
    .hidden runvm_kvm_probe_begin, runvm_kvm_probe_end
    .balign 8
runvm_kvm_probe_begin:
    .code16
    movb $0x52, %al
    outb %al, $0x10
    lgdtl 0x8000 + .Lgdt_pointer - runvm_kvm_probe_begin
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    ljmpl $0x08, $(0x8000 + .Lprotected - runvm_kvm_probe_begin)
    .code32
.Lprotected:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $0x9000, %esp
    movl %cr4, %eax
    orl $0x20, %eax              # PAE
    movl %eax, %cr4
    movl $0x1000, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx       # EFER
    rdmsr
    orl $0x100, %eax             # LME
    wrmsr
    movl %cr0, %eax
    orl $0x80000000, %eax        # PG
    movl %eax, %cr0
    ljmpl $0x18, $(0x8000 + .Llong - runvm_kvm_probe_begin)
    .code64
.Llong:
    movb $0x4c, %al
    outb %al, $0x10
    movl $0xc0000082, %ecx       # LSTAR
    movl $0x5678, %eax
    xorl %edx, %edx
    wrmsr
    rdmsr
    cmpl $0x5678, %eax
    jne .Lstop
    xorl %eax, %eax
    cpuid
    rdtsc
    swapgs
    movq %cr3, %rax
    movq %rax, %cr3
    invlpg 0x8000
    pushq $0x1234
    popq %rax
    cmpq $0x1234, %rax
    jne .Lstop
    movb $0x4b, %al
    outb %al, $0x10
.Lstop:
    hlt
    .balign 8
.Lgdt:
    .quad 0
    .quad 0x00cf9a000000ffff     # code, 32 bits
    .quad 0x00cf92000000ffff     # data
    .quad 0x00af9a000000ffff     # code, 64 bits
.Lgdt_pointer:
    .word . - .Lgdt - 1
    .long 0x8000 + .Lgdt - runvm_kvm_probe_begin
runvm_kvm_probe_end:
    .popsection
)");
extern "C" const char runvm_kvm_probe_begin[]; // NOLINT: the assembler's symbols
extern "C" const char runvm_kvm_probe_end[];   // NOLINT

namespace runvm::vm {
namespace {

using os::Fd;

constexpr int time_limit_ms = 1000;
constexpr size_t memory_bytes = 0x10000;
constexpr uint64_t code_address = 0x8000;
constexpr int most_exits = 64;

/// Identity-maps the first 2 MiB: tables at 0x1000, 0x2000, 0x3000.
void write_page_tables(char* memory) {
    constexpr uint64_t present_writable = 3;
    constexpr uint64_t large_page = 0x80;
    std::array<std::pair<size_t, uint64_t>, 3> entries = {{{0x1000, 0x2000 | present_writable},
                                                           {0x2000, 0x3000 | present_writable},
                                                           {0x3000, present_writable | large_page}}};
    for (const auto& [address, entry] : entries)
        std::memcpy(memory + address, &entry, sizeof entry);
}

Result<Fd> make_machine(int kvm, char* memory) {
    Fd machine(::ioctl(kvm, KVM_CREATE_VM, 0));
    if (!machine)
        return system_error("make a kvm machine");
    kvm_userspace_memory_region region{};
    region.memory_size = memory_bytes;
    region.userspace_addr = reinterpret_cast<uint64_t>(memory); // the kernel's ABI takes addresses as numbers
    if (::ioctl(machine.get(), KVM_SET_USER_MEMORY_REGION, &region) != 0)
        return system_error("give the kvm machine memory");
    return machine;
}

/// The kernel's struct kvm_cpuid2. The header's own is larger in C++ (its flexible array comes with an empty
/// struct), which makes its request numbers wrong as well.
struct CpuidList {
    uint32_t count;
    uint32_t padding;
    std::array<kvm_cpuid_entry2, 256> entries;
};
constexpr unsigned long get_supported_cpuid = _IOWR(KVMIO, 0x05, uint64_t);
constexpr unsigned long set_cpuid2 = _IOW(KVMIO, 0x90, uint64_t);

/// Without cpuid entries the cpu has no long mode.
Result<void> give_host_cpuid(int kvm, int cpu) {
    CpuidList list{};
    list.count = static_cast<uint32_t>(list.entries.size());
    if (::ioctl(kvm, get_supported_cpuid, &list) != 0)
        return system_error("read kvm's cpuid");
    if (::ioctl(cpu, set_cpuid2, &list) != 0)
        return system_error("set the kvm cpu's cpuid");
    return {};
}

Result<void> start_at_code(int cpu) {
    kvm_sregs special{};
    if (::ioctl(cpu, KVM_GET_SREGS, &special) != 0)
        return system_error("read the kvm cpu's registers");
    special.cs.base = 0;
    special.cs.selector = 0;
    if (::ioctl(cpu, KVM_SET_SREGS, &special) != 0)
        return system_error("set the kvm cpu's registers");
    kvm_regs general{};
    general.rip = code_address;
    general.rflags = 2;
    if (::ioctl(cpu, KVM_SET_REGS, &general) != 0)
        return system_error("set the kvm cpu's registers");
    return {};
}

/// Runs the guest; what it says goes to `output` byte by byte, so that it is known should it never end.
Result<void> run_guest(int output) {
    RUNVM_ASSIGN(Fd kvm, os::open_file("/dev/kvm", O_RDWR));
    void* memory = ::mmap(nullptr, memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return system_error("map the probe's memory");
    write_page_tables(static_cast<char*>(memory));
    std::memcpy(static_cast<char*>(memory) + code_address, runvm_kvm_probe_begin,
                static_cast<size_t>(runvm_kvm_probe_end - runvm_kvm_probe_begin));

    RUNVM_ASSIGN(Fd machine, make_machine(kvm.get(), static_cast<char*>(memory)));
    Fd cpu(::ioctl(machine.get(), KVM_CREATE_VCPU, 0));
    if (!cpu)
        return system_error("make a kvm cpu");
    RUNVM_TRY(give_host_cpuid(kvm.get(), cpu.get()));
    RUNVM_TRY(start_at_code(cpu.get()));
    int run_bytes = ::ioctl(kvm.get(), KVM_GET_VCPU_MMAP_SIZE, 0);
    if (run_bytes < 0)
        return system_error("ask for the size of the kvm cpu's state");
    void* mapped =
        ::mmap(nullptr, static_cast<size_t>(run_bytes), PROT_READ | PROT_WRITE, MAP_SHARED, cpu.get(), 0);
    if (mapped == MAP_FAILED)
        return system_error("map the kvm cpu's state");
    auto* run = static_cast<kvm_run*>(mapped);

    for (int exits = 0; exits < most_exits; ++exits) {
        if (::ioctl(cpu.get(), KVM_RUN, 0) != 0)
            return system_error("run the kvm cpu");
        if (run->exit_reason == KVM_EXIT_HLT)
            return {};
        if (run->exit_reason != KVM_EXIT_IO)
            return Error(ErrorKind::system,
                         "the kvm cpu stopped with exit reason " + std::to_string(run->exit_reason));
        const char* data = static_cast<const char*>(mapped) + run->io.data_offset;
        RUNVM_TRY(os::write_all(output, {data, 1}, "the probe's output"));
    }
    return Error(ErrorKind::system, "the kvm cpu does not halt");
}

/// The child: what the guest said, and after a blank the error, if there was one.
[[noreturn]] void report_guest(int output) {
    Result<void> outcome = run_guest(output);
    if (!outcome)
        (void)os::write_all(output, " " + outcome.error().to_string(), "the probe's output");
    ::_exit(0);
}

Error failure(const std::string& output, bool ended) {
    size_t blank = output.find(' ');
    std::string said = output.substr(0, blank);
    std::string message = said == "RL"  ? "a test guest stopped in long mode"
                          : said == "R" ? "a test guest stopped on its way to long mode"
                                        : "a test guest did not run";
    if (!ended)
        message += " and hung";
    if (blank != std::string::npos)
        message += ": " + output.substr(blank + 1);
    return {ErrorKind::unavailable, message};
}

} // namespace

Result<void> run_kvm_probe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return system_error("make a pipe for the kvm probe");
    Fd read_end(ends[0]);
    Fd write_end(ends[1]);
    // A child, because a broken KVM may never come back from KVM_RUN but for a signal.
    pid_t pid = ::fork();
    if (pid < 0)
        return system_error("fork the kvm probe");
    if (pid == 0)
        report_guest(write_end.get());
    write_end.reset();
    Defer reap([&] {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    });
    RUNVM_ASSIGN(Fd pidfd, os::open_pidfd(pid));
    RUNVM_ASSIGN(bool ended, os::wait_for_end(pidfd.get(), time_limit_ms));
    if (!ended && os::send_signal(pidfd.get(), SIGKILL))
        RUNVM_TRY(os::wait_for_end(pidfd.get(), time_limit_ms));
    RUNVM_ASSIGN(std::string output, os::read_fd(read_end.get(), "the kvm probe's output"));
    if (output == "RLK")
        return {};
    return failure(output, ended);
}

} // namespace runvm::vm
