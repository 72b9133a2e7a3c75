#include "runtime/sandbox_config.h"

#include "os/memory.h"
#include "vm/accelerator.h"
#include "vm/emulator.h"
#include "vm/machine.h"
#include "vm/machine_size.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace runvm::runtime {

namespace {

// A place for each possible cpu costs the guest memory.
constexpr uint32_t max_vcpus_by_default = 32;
// QEMU's emulated cpus have 40 address bits, and not all of these are for memory.
constexpr uint64_t max_emulated_mib = 512U << 10U;

vm::MachineSize largest_size(const config::Config::Hypervisor& hypervisor, const std::string& accelerator) {
    auto host_cpus = static_cast<uint32_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
    vm::MachineSize largest{hypervisor.max_vcpus, hypervisor.max_memory_mib};
    if (largest.vcpus == 0)
        largest.vcpus = std::min(host_cpus, max_vcpus_by_default);
    if (largest.memory_mib == 0)
        largest.memory_mib = os::memory_bytes() >> 20U;
    if (accelerator == "tcg")
        largest.memory_mib = std::min(largest.memory_mib, max_emulated_mib);
    return largest;
}

vm::MachineSize size_of(const config::Config::Hypervisor& hypervisor, protocol::Resources::Reader resources,
                        const vm::MachineSize& largest) {
    auto demand = resources.getDemand();
    return vm::size_for({{demand.getCpus(), demand.getCpusetEnd(), demand.getMemoryBytes()}},
                        {hypervisor.vcpus, hypervisor.memory_mib}, largest);
}

void fill_sizes(const config::Config::Hypervisor& hypervisor, protocol::Resources::Reader resources,
                protocol::SandboxConfig::Builder config) {
    vm::MachineSize largest = largest_size(hypervisor, config.getAccelerator().cStr());
    vm::MachineSize size = size_of(hypervisor, resources, largest);
    config.setVcpus(size.vcpus);
    config.setMemoryMib(size.memory_mib);
    config.setDefaultVcpus(hypervisor.vcpus);
    config.setDefaultMemoryMib(hypervisor.memory_mib);
    config.setMaxVcpus(largest.vcpus);
    config.setMaxMemoryMib(largest.memory_mib);
    config.setMemoryStepMib(hypervisor.memory_step_mib);
}

} // namespace

uint64_t boot_memory_mib(const Context& context, protocol::Resources::Reader resources) {
    const auto& hypervisor = context.config.hypervisor;
    return size_of(hypervisor, resources, largest_size(hypervisor, hypervisor.accelerator)).memory_mib;
}

// In steps of whole blocks (Sandbox::wanted_size).
uint64_t grown_memory_mib(const Context& context, protocol::Resources::Reader resources) {
    return boot_memory_mib(context, resources) + context.config.hypervisor.memory_step_mib +
           vm::growth_block_mib;
}

Result<void> fill_sandbox_config(const Context& context, protocol::Resources::Reader resources,
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
    fill_sizes(hypervisor, resources, config);
    config.setMachine(hypervisor.machine);
    config.setEmulatorPath(emulator);
    config.setVirtiofsdPath(context.config.shared_fs.daemon);
    config.setLibvirtUri(context.config.libvirt.uri);
    config.setChannel(context.config.channel.type);
    config.setNetworkModel(context.config.network.model);
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
