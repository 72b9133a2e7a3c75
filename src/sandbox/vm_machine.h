#pragma once
// The real machine: libvirt's QEMU, virtiofsd, the guest's console and the ports to its agent.

#include "network/model.h"
#include "sandbox/agent_ports.h"
#include "sandbox/agent_session.h"
#include "sandbox/machine.h"
#include "sandbox/machine_thread.h"
#include "vm/console.h"
#include "vm/hypervisor.h"
#include "vm/monitor_root.h"
#include "vm/qemu_uid.h"
#include "vm/virtiofsd.h"

#include <kj/async-io.h>

#include <cstdint>
#include <map>
#include <optional>

namespace runvm::sandbox {

class VmMachine final : public Machine, private kj::TaskSet::ErrorHandler {
public:
    using MakeHypervisor = std::function<std::unique_ptr<vm::Hypervisor>(vm::LibvirtOptions)>;

    VmMachine(kj::AsyncIoContext& io, MakeHypervisor make_hypervisor);
    ~VmMachine() noexcept override;

    kj::Promise<Result<std::unique_ptr<Guest>>> boot(protocol::SandboxConfig::Reader config) override;
    void on_death(std::function<void(std::string reason)> callback) override {
        on_death_ = std::move(callback);
    }
    kj::Promise<Result<void>> suspend() override;
    kj::Promise<Result<void>> resume() override;
    kj::Promise<Result<void>> resize(uint32_t vcpus, uint64_t growth_mib) override;
    kj::Promise<Result<void>> destroy() override;
    Result<std::unique_ptr<HostNetwork>> open_network(os::Fd space) override;
    kj::Promise<Result<void>> plug_nic(const vm::Nic& nic) override;
    kj::Promise<Result<void>> unplug_nic(const vm::Nic& nic) override;
    Result<void> attach_share(ShareRequest request) override;
    Result<void> make_share_readonly(const std::string& container, const std::string& name) override;
    void detach_shares(const std::string& container) override;
    kj::Promise<Result<void>> plug_disk(DiskRequest request) override;
    kj::Promise<Result<void>> unplug_disk(const std::string& serial) override;
    Result<void> watch_file(uint32_t id, const std::string& path) override;
    void unwatch_file(uint32_t id) override;
    kj::Promise<std::vector<vm::FileEvent>> next_file_events() override;
    std::string console_tail() const override;
    pid_t qemu_pid() const override;
    pid_t virtiofsd_pid() const override { return virtiofsd_.pid; }

private:
    struct Listeners {
        os::Fd console;
        os::Fd control;
        os::Fd streams;
    };

    void taskFailed(kj::Exception&& exception) override;
    template <class Call>
    kj::Promise<Result<void>> call(Call call);
    bool has_libvirtd() const { return machine_folder_ != vm::monitor_path::sandbox; }
    std::string in_sandbox(const char* name) const;
    Result<vm::MachineSpec> prepare(protocol::SandboxConfig::Reader config);
    Result<void> enter_root(protocol::SandboxConfig::Reader config);
    Result<void> start_virtiofsd(protocol::SandboxConfig::Reader config);
    kj::Promise<std::unique_ptr<Guest>> connect_agent(AgentPorts ports);
    kj::Promise<void> read_console(os::Fd listener);
    kj::Promise<void> read_console_from(int fd, kj::UnixEventPort::FdObserver& observer);
    void watch_virtiofsd();
    void open_file_events();
    void over(std::string reason);
    Error boot_error(const kj::Exception& exception, uint32_t limit_ms) const;

    kj::AsyncIoContext& io_;
    MakeHypervisor make_hypervisor_;
    std::function<void(std::string)> on_death_;
    bool over_ = false;
    std::map<std::string, os::Fd> disk_claims_; ///< by serial
    network::Model network_model_ = network::Model::tc;
    bool booting_ = false; ///< from the start until the outcome is known: an end is part of that then
    std::string over_reason_;
    std::string step_ = "prepare the machine"; ///< of the boot, for its error
    std::optional<Error> start_error_;
    std::string machine_folder_ = vm::monitor_path::sandbox; ///< where QEMU finds its sockets
    Listeners listeners_;
    std::string secret_;
    vm::QemuUid uid_;
    vm::Virtiofsd virtiofsd_;
    unsigned next_disk_ = 0;
    std::optional<vm::FileEvents> file_events_; ///< empty: the host's kernel has no fanotify
    kj::Own<kj::UnixEventPort::FdObserver> file_events_observer_;
    vm::ConsoleRing console_;
    std::unique_ptr<vm::Hypervisor> hypervisor_;
    std::map<std::string, std::vector<std::string>> shares_; ///< container to share names
    kj::Own<AgentSession> session_;
    kj::Own<kj::PromiseFulfiller<void>> boot_failed_;
    kj::TaskSet tasks_;
    /// Made once the root has been entered, which wants a process with one thread. Last: it ends before what
    /// its calls use.
    std::optional<MachineThread> thread_;
};

} // namespace runvm::sandbox
