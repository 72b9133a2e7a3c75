#include "vm/kernel_command_line.h"

#include "vm/cpuinfo.h"

#include <array>

namespace runvm::vm {
namespace {

constexpr std::array<const char*, 12> every_machine = {
    "console=ttyS0",
    "quiet",               // each character of the console is an exit to QEMU; a panic is still shown
    "panic=-1",            // reboot at once, which ends the machine: QEMU runs with on_reboot=destroy
    "8250.nr_uarts=1",     // there is no other to probe for
    "i8042.noaux",         // nor a mouse
    "cryptomgr.notests",   // 0.25 s of 2 under TCG
    "random.trust_cpu=on", // or the first getrandom may wait for entropy
    "rcupdate.rcu_cpu_stall_suppress=1", // a host that is short of cpus stalls its guests
    "nowatchdog",                        // for the same reason, and it saves wake-ups
    "audit=0",
    "pcie_ports=compat", // devices are plugged by ACPI; the ports' own services cost 0.1 s under TCG
    "swiotlb=noforce", // memory that can grow beyond 4 GiB takes 64 MiB for devices of 32 bits: there is none
};

/// Only where the cpu is emulated.
constexpr std::array<const char*, 3> emulated_machine = {
    "no_timer_check",  // the check counts ticks, which come late on a busy host, and panics
    "mitigations=off", // nothing speculates in an emulator
    "noreplace-smp",
};

} // namespace

std::string kernel_command_line(const std::string& accelerator, uint32_t vcpus, const std::string& added,
                                uint32_t tsc_khz) {
    std::string line;
    auto add = [&](const std::string& option) { line += (line.empty() ? "" : " ") + option; };
    for (const char* option : every_machine)
        add(option);
    if (accelerator == "tcg") {
        for (const char* option : emulated_machine)
            add(option);
        add("maxcpus=" + std::to_string(vcpus)); // of those that are there: domain_xml.cpp, vcpus
        // TCG's counter is the host's. On a busy host the kernel's own measurement of it fails, or is wrong:
        // a guest was seen whose time ran five times too fast. And its watchdog then gives it up for a slow
        // clock.
        if (tsc_khz != 0)
            add("tsc_early_khz=" + std::to_string(tsc_khz) + " tsc=reliable");
    }
    if (!added.empty())
        add(added);
    return line;
}

std::string kernel_command_line(const std::string& accelerator, uint32_t vcpus, const std::string& added) {
    return kernel_command_line(accelerator, vcpus, added, accelerator == "tcg" ? measure_tsc_khz() : 0);
}

} // namespace runvm::vm
