#include "runtime/sandbox_config.h"

#include "vm/accelerator.h"
#include "vm/emulator.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace runvm::runtime {

namespace {

// What the guest's kernel and agent need besides the container's memory: a part of it, for the pages' own
// records and reserves, and a constant (docs/performance.md, "Memory").
constexpr uint64_t guest_overhead_mib = 112;
constexpr uint64_t guest_overhead_divisor = 16;
constexpr uint64_t smallest_guest_mib = 256;
constexpr uint64_t mib = 1024 * 1024;

uint64_t host_memory_mib() {
    return static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)) /
           mib;
}

} // namespace

uint64_t guest_memory_mib(uint64_t configured_mib, uint64_t limit_bytes, uint64_t host_mib) {
    if (limit_bytes == 0)
        return configured_mib;
    uint64_t limit_mib = std::min(limit_bytes / mib + 1, host_mib);
    uint64_t wanted_mib = limit_mib + limit_mib / guest_overhead_divisor + guest_overhead_mib;
    return std::max(smallest_guest_mib, std::min(wanted_mib, host_mib));
}

Result<void> fill_sandbox_config(const Context& context, const oci::HostPlan& plan,
                                 const std::string& sandbox_id, protocol::SandboxConfig::Builder config) {
    const auto& hypervisor = context.config.hypervisor;
    const auto& paths = context.config.paths;
    RUNVM_ASSIGN(vm::Accelerator accelerator, vm::choose_accelerator(hypervisor.accelerator, paths.run));
    RUNVM_ASSIGN(std::string emulator, vm::find_emulator(hypervisor.emulator));
    context.trace("accelerator " + accelerator.name + ": " + accelerator.reason);
    // Callers parse everything else that is written, so only people are told.
    if (accelerator.name == "tcg" && hypervisor.accelerator == "auto" && ::isatty(STDERR_FILENO) != 0)
        std::fprintf(stderr, "runvm: warning: the guest is emulated, which is slow: %s\n",
                     accelerator.reason.c_str());
    config.setSandboxId(sandbox_id);
    config.setAccelerator(accelerator.name);
    config.setKernelPath(hypervisor.kernel.empty() ? context.layout.share + "/vmlinux" : hypervisor.kernel);
    config.setImagePath(hypervisor.image.empty() ? context.layout.share + "/initrd.img" : hypervisor.image);
    config.setKernelCommandLine(hypervisor.kernel_command_line);
    config.setVcpus(hypervisor.vcpus);
    config.setMemoryMib(guest_memory_mib(hypervisor.memory_mib, plan.memory_limit_bytes, host_memory_mib()));
    config.setMachine(hypervisor.machine);
    config.setEmulatorPath(emulator);
    config.setVirtiofsdPath(context.config.shared_fs.daemon);
    config.setLibvirtUri(context.config.libvirt.uri);
    config.setChannel(context.config.channel.type);
    config.setBootTimeoutMs(hypervisor.boot_timeout_ms);
    config.setAgentTimeoutMs(hypervisor.agent_timeout_ms);
    config.setCacheFolder(paths.cache);
    config.setRunFolder(paths.run);
    config.setLogLevel(context.debug ? "debug" : context.config.logging.level);
    const auto& daemon_options = context.config.shared_fs.options;
    auto options = config.initSharedFsOptions(daemon_options.size());
    for (unsigned i = 0; i < daemon_options.size(); ++i)
        options.set(i, daemon_options[i]);
    return {};
}

} // namespace runvm::runtime
