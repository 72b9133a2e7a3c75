#include "sandbox/vm_machine.h"

#include "channel/handshake.h"
#include "channel/rpc_error.h"
#include "os/file.h"
#include "sandbox/namespace_network.h"
#include "vm/emulator.h"
#include "vm/initrd.h"
#include "vm/kernel_command_line.h"
#include "vm/monitor_root.h"
#include "vm/qemu_socket.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace runvm::sandbox {

namespace {

constexpr const char* own_image = "initrd.img";
constexpr size_t console_lines_in_errors = 20;
constexpr uint32_t default_boot_timeout_ms = 60000;
// libvirt tells why a machine ended a little after its process did.
constexpr auto qemu_word_time = 500 * kj::MILLISECONDS;

/// Where libvirtd listens: the folder of it must be in the monitor's root.
std::string libvirtd_folder(const std::string& uri) {
    size_t socket = uri.find("socket=");
    if (socket == std::string::npos)
        return "/run/libvirt";
    std::string path = uri.substr(socket + std::strlen("socket="));
    return path.substr(0, path.rfind('/'));
}

/// A folder of the host's that QEMU passes through to its sockets, and nobody else does.
Result<void> make_machine_folder(const std::string& run_folder, const std::string& folder, gid_t gid) {
    RUNVM_TRY(os::remove_tree(folder));
    std::string machines = folder.substr(0, folder.rfind('/'));
    RUNVM_TRY(os::make_folders(machines, 0711));
    for (const std::string& passed : {run_folder, machines})
        if (::chmod(passed.c_str(), 0711) != 0)
            return system_error("chmod " + passed);
    // chmod: the caller's umask counts for mkdir.
    if (::mkdir(folder.c_str(), 0700) != 0 || ::chown(folder.c_str(), 0, gid) != 0 ||
        ::chmod(folder.c_str(), 0710) != 0)
        return system_error("make " + folder);
    return {};
}

/// What `virsh list` shows: the sandbox's id, and a part of its folder's name, because others may have the
/// id.
std::string domain_name(protocol::SandboxConfig::Reader config) {
    constexpr size_t max_id_length = 48;
    std::string folder = config.getMachineFolder().cStr();
    std::string id = std::string(config.getSandboxId().cStr()).substr(0, max_id_length);
    std::replace(id.begin(), id.end(), '+', '_');
    return "runvm-" + id + "-" + folder.substr(folder.rfind('/') + 1, 8);
}

std::string make_uuid(const std::string& secret) {
    // RFC 4122 version 4, from the first 32 digits of the secret's sibling.
    std::string hex = secret.substr(0, 32);
    hex[12] = '4';
    hex[16] = 'a';
    return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" + hex.substr(16, 4) +
           "-" + hex.substr(20, 12);
}

} // namespace

VmMachine::VmMachine(kj::AsyncIoContext& io, MakeHypervisor make_hypervisor)
    : io_(io), make_hypervisor_(std::move(make_hypervisor)), tasks_(*this) {}

VmMachine::~VmMachine() noexcept = default;

void VmMachine::taskFailed(kj::Exception&& exception) {
    over("internal error: " + std::string(exception.getDescription().cStr()));
}

std::string VmMachine::in_sandbox(const char* name) const {
    return machine_folder_ + "/" + name;
}

Result<void> VmMachine::enter_root(protocol::SandboxConfig::Reader config) {
    // Before the root is left: the lock file is the machine's, not the sandbox's.
    std::string run_folder = config.getRunFolder().cStr();
    RUNVM_TRY(os::make_folders(run_folder, 0700));
    RUNVM_ASSIGN(uid_, vm::lease_qemu_uid(run_folder + "/qemu-uids", config.getSandboxId().cStr()));
    vm::MonitorRoot root;
    if (config.getMachineFolder().size() > 0) {
        machine_folder_ = config.getMachineFolder().cStr();
        RUNVM_TRY(make_machine_folder(run_folder, machine_folder_, uid_.uid));
        root.machine_folder = machine_folder_;
        root.readonly_paths.push_back(libvirtd_folder(config.getLibvirtUri().cStr()));
    }
    root.kernel_path = config.getKernelPath().cStr();
    root.image_path = config.getImagePath().cStr();
    root.cache_folder = config.getCacheFolder().cStr();
    root.qemu_uid = uid_.uid;
    root.qemu_gid = uid_.uid;
    root.use_kvm = config.getAccelerator() == "kvm";
    root.use_vsock = config.getChannel() == "vsock";
    for (auto path : {config.getEmulatorPath(), config.getVirtiofsdPath()})
        if (path.size() > 0)
            root.readonly_paths.emplace_back(path.cStr());
    return vm::enter_monitor_root(root);
}

Result<void> VmMachine::start_virtiofsd(protocol::SandboxConfig::Reader config) {
    vm::VirtiofsdOptions options;
    RUNVM_ASSIGN(options.program, vm::find_virtiofsd(config.getVirtiofsdPath().cStr()));
    options.shared_folder = vm::monitor_path::shared;
    options.socket_path = in_sandbox("virtiofs.sock");
    options.log_path = std::string(vm::monitor_path::log) + "/virtiofsd.log";
    for (auto option : config.getSharedFsOptions())
        options.extra_options.emplace_back(option.cStr());
    options.qemu_uid = uid_.uid;
    options.qemu_gid = uid_.uid;
    options.selinux_label = config.getSelinuxLabel().cStr();
    RUNVM_ASSIGN(virtiofsd_, vm::start_virtiofsd(options));
    watch_virtiofsd();
    return {};
}

void VmMachine::watch_virtiofsd() {
    using Observer = kj::UnixEventPort::FdObserver;
    auto observer = kj::heap<Observer>(io_.unixEventPort, virtiofsd_.pidfd.get(), Observer::OBSERVE_READ);
    auto ended = observer->whenBecomesReadable();
    tasks_.add(ended.attach(kj::mv(observer)).then([this]() -> kj::Promise<void> {
        // It also ends because QEMU has: then QEMU's own reason is the one to tell, and comes first.
        return io_.provider->getTimer().afterDelay(qemu_word_time).then([this] {
            over("virtiofsd has ended");
        });
    }));
}

Result<vm::MachineSpec> VmMachine::prepare(protocol::SandboxConfig::Reader config) {
    RUNVM_TRY(enter_root(config).context("enter the monitor's root"));
    RUNVM_TRY(start_virtiofsd(config).context("start virtiofsd"));
    open_file_events();
    RUNVM_ASSIGN(secret_, make_secret());
    RUNVM_ASSIGN(std::string uuid_source, make_secret());

    vm::MachineSpec spec;
    spec.name = has_libvirtd() ? domain_name(config) : "runvm";
    spec.uuid = make_uuid(uuid_source);
    spec.accelerator = config.getAccelerator().cStr();
    spec.machine = config.getMachine().cStr();
    RUNVM_ASSIGN(spec.emulator_path, vm::find_emulator(config.getEmulatorPath().cStr()));
    spec.kernel_path = has_libvirtd() ? config.getKernelPath().cStr() : vm::monitor_path::kernel;
    spec.image_path = has_libvirtd() ? config.getImagePath().cStr() : vm::monitor_path::image;
    spec.selinux_label = config.getSelinuxLabel().cStr();
    spec.qemu_uid = has_libvirtd() ? uid_.uid : 0;
    spec.vcpus = config.getVcpus();
    spec.max_vcpus = config.getMaxVcpus();
    spec.memory_mib = config.getMemoryMib();
    spec.max_memory_mib = config.getMaxMemoryMib();
    network_model_ = network::model_of(config.getNetworkModel().cStr());
    spec.virtiofs_socket_path = in_sandbox("virtiofs.sock");
    spec.console_socket_path = in_sandbox("console.sock");
    RUNVM_ASSIGN(listeners_.console, vm::listen_for_qemu(spec.console_socket_path, uid_.uid, uid_.uid));
    // What it can hold open for the guest: the agent sees to it that it is not asked for more.
    std::string added = "runvm.shared_inodes=" + std::to_string(virtiofsd_.max_guest_files);
    if (config.getKernelCommandLine().size() > 0)
        added += std::string(" ") + config.getKernelCommandLine().cStr();
    if (config.getChannel() == "vsock") {
        // Ours alone on this machine, as the uid is.
        spec.vsock_cid = uid_.uid;
        added += " runvm.channel=vsock";
        spec.image_path = in_sandbox(own_image);
        RUNVM_TRY(vm::copy_initrd_with(vm::monitor_path::image, spec.image_path,
                                       vm::cpio_of_file("etc/runvm/secret", secret_)));
        if (::chown(spec.image_path.c_str(), uid_.uid, uid_.uid) != 0)
            return system_error("chown " + spec.image_path);
    } else {
        spec.control_socket_path = in_sandbox("control.sock");
        spec.streams_socket_path = in_sandbox("streams.sock");
        RUNVM_ASSIGN(listeners_.control, vm::listen_for_qemu(spec.control_socket_path, uid_.uid, uid_.uid));
        RUNVM_ASSIGN(listeners_.streams, vm::listen_for_qemu(spec.streams_socket_path, uid_.uid, uid_.uid));
    }
    spec.kernel_command_line = vm::kernel_command_line(spec.accelerator, spec.vcpus, added);

    vm::LibvirtOptions options;
    options.uri = config.getLibvirtUri().cStr();
    options.root_folder = vm::monitor_path::libvirt_root;
    options.cache_folder = vm::monitor_path::cache;
    options.qemu_uid = uid_.uid;
    options.qemu_gid = uid_.uid;
    hypervisor_ = make_hypervisor_(options);
    thread_.emplace();
    return spec;
}

kj::Promise<Result<std::unique_ptr<Guest>>> VmMachine::boot(protocol::SandboxConfig::Reader config) {
    auto prepared = prepare(config);
    if (!prepared)
        return Result<std::unique_ptr<Guest>>(std::move(prepared).error());
    vm::MachineSpec spec = *prepared;
    uint32_t limit_ms = config.getBootTimeoutMs() > 0 ? config.getBootTimeoutMs() : default_boot_timeout_ms;

    // The hypervisor tells of the machine's end on a thread of its own.
    const kj::Executor& executor = kj::getCurrentThreadExecutor();
    hypervisor_->on_exit([this, &executor](const std::string& reason) {
        executor.executeSync([this, reason] { over(reason); });
    });
    tasks_.add(read_console(std::move(listeners_.console)));

    step_ = "start the machine";
    auto ports = spec.vsock_cid != 0
                     ? open_vsock_ports(io_, spec.vsock_cid, secret_)
                     : open_serial_ports(io_, std::move(listeners_.control), std::move(listeners_.streams));
    auto failed = kj::newPromiseAndFulfiller<void>();
    boot_failed_ = kj::mv(failed.fulfiller);
    booting_ = true;
    tasks_.add(
        thread_->run([this, spec] { return hypervisor_->start(spec); }).then([this](Result<void>&& started) {
            if (started) {
                step_ = "boot the guest";
                return;
            }
            start_error_ = started.error();
            boot_failed_->reject(KJ_EXCEPTION(FAILED, "the machine did not start"));
        }));
    auto guest = ports.then([this](AgentPorts&& opened) { return connect_agent(kj::mv(opened)); })
                     .exclusiveJoin(failed.promise.then([]() -> std::unique_ptr<Guest> { return nullptr; }));
    return io_.provider->getTimer()
        .timeoutAfter(limit_ms * kj::MILLISECONDS, kj::mv(guest))
        .then(
            [this](std::unique_ptr<Guest>&& booted) -> kj::Promise<Result<std::unique_ptr<Guest>>> {
                booting_ = false;
                ::unlink(in_sandbox(own_image).c_str()); // the guest has its copy
                return Result(std::move(booted));
            },
            [this, limit_ms](kj::Exception&& exception) -> kj::Promise<Result<std::unique_ptr<Guest>>> {
                using Outcome = Result<std::unique_ptr<Guest>>;
                // A port that broke: most likely the machine ended, and its reason is the better one.
                bool reason_may_come = exception.getType() == kj::Exception::Type::DISCONNECTED && !over_;
                auto wait = reason_may_come ? qemu_word_time : 0 * kj::MILLISECONDS;
                return io_.provider->getTimer().afterDelay(wait).then(
                    [this, limit_ms, exception = kj::mv(exception)]() -> Outcome {
                        booting_ = false;
                        return boot_error(exception, limit_ms);
                    });
            });
}

kj::Promise<std::unique_ptr<Guest>> VmMachine::connect_agent(AgentPorts ports) {
    step_ = "greet the guest's agent";
    session_ = kj::heap<AgentSession>(kj::mv(ports.control));
    return session_->greet().then(
        [this, streams = kj::mv(ports.streams)](protocol::Agent::Client&& agent) mutable {
            auto relay = std::make_unique<channel::StreamRelay>(io_.unixEventPort, kj::mv(streams));
            return std::make_unique<Guest>(Guest{kj::mv(agent), std::move(relay)});
        });
}

Error VmMachine::boot_error(const kj::Exception& exception, uint32_t limit_ms) const {
    Error error = start_error_.value_or(channel::from_exception(exception, "connect to the guest"));
    if (!start_error_ && over_)
        error = Error(ErrorKind::guest, "the machine ended: " + over_reason_);
    if (!start_error_ && exception.getType() == kj::Exception::Type::OVERLOADED)
        error = Error(ErrorKind::timeout,
                      "not done within " + std::to_string(limit_ms) + " ms (hypervisor.boot_timeout_ms)");
    std::string message = error.to_string();
    if (std::string log = hypervisor_->log_tail(); !log.empty() && start_error_)
        message += "\nlast lines of QEMU's log:\n" + log;
    if (std::string console = console_tail(); !console.empty())
        message += "\nlast lines of the guest's console:\n" + console;
    return Error(error.kind() == ErrorKind::unavailable ? ErrorKind::guest : error.kind(), message)
        .add_context(step_);
}

kj::Promise<void> VmMachine::read_console(os::Fd listener) {
    using Observer = kj::UnixEventPort::FdObserver;
    ::fcntl(listener.get(), F_SETFL, ::fcntl(listener.get(), F_GETFL) | O_NONBLOCK);
    auto observer = kj::heap<Observer>(io_.unixEventPort, listener.get(), Observer::OBSERVE_READ);
    auto ready = observer->whenBecomesReadable();
    return ready.attach(kj::mv(observer)).then([this, listener = std::move(listener)]() -> kj::Promise<void> {
        auto connected =
            kj::heap<os::Fd>(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!*connected)
            return kj::READY_NOW;
        auto reading = kj::heap<Observer>(io_.unixEventPort, connected->get(), Observer::OBSERVE_READ);
        auto done = read_console_from(connected->get(), *reading);
        return done.attach(kj::mv(reading))
            .attach(kj::mv(connected)); // the observer goes before its descriptor
    });
}

kj::Promise<void> VmMachine::read_console_from(int fd, kj::UnixEventPort::FdObserver& observer) {
    auto open = vm::read_console(fd, console_);
    if (!open || !*open)
        return kj::READY_NOW;
    return observer.whenBecomesReadable().then(
        [this, fd, &observer] { return read_console_from(fd, observer); });
}

void VmMachine::over(std::string reason) {
    if (over_)
        return;
    over_ = true;
    over_reason_ = std::move(reason);
    if (booting_)
        boot_failed_->reject(KJ_EXCEPTION(FAILED, "the machine ended")); // the boot's error tells the rest
    else if (on_death_)
        on_death_(over_reason_);
}

template <class Call>
kj::Promise<Result<void>> VmMachine::call(Call call) {
    if (!thread_)
        return Result<void>(Error(ErrorKind::wrong_state, "the machine has not been started"));
    return thread_->run([this, call] { return call(*hypervisor_); });
}

kj::Promise<Result<void>> VmMachine::suspend() {
    return call([](vm::Hypervisor& hypervisor) { return hypervisor.suspend(); });
}

kj::Promise<Result<void>> VmMachine::resume() {
    return call([](vm::Hypervisor& hypervisor) { return hypervisor.resume(); });
}

kj::Promise<Result<void>> VmMachine::resize(uint32_t vcpus, uint64_t growth_mib) {
    return call([=](vm::Hypervisor& hypervisor) { return hypervisor.resize(vcpus, growth_mib); });
}

Result<std::unique_ptr<HostNetwork>> VmMachine::open_network(os::Fd space) {
    return NamespaceNetwork::open(io_.unixEventPort, std::move(space), network_model_);
}

kj::Promise<Result<void>> VmMachine::plug_nic(const vm::Nic& nic) {
    if (has_libvirtd()) // its QEMU is in the host's network namespace
        return Result<void>(Error(ErrorKind::unsupported,
                                  "a machine of libvirtd's does not get a link of the container's network "
                                  "namespace: libvirt.uri must be \"qemu:///embed\" for that"));
    return call([nic](vm::Hypervisor& hypervisor) { return hypervisor.plug_nic(nic); });
}

kj::Promise<Result<void>> VmMachine::unplug_nic(const vm::Nic& nic) {
    return call([nic](vm::Hypervisor& hypervisor) { return hypervisor.unplug_nic(nic); });
}

kj::Promise<Result<void>> VmMachine::destroy() {
    if (!thread_)
        return Result<void>();
    return thread_->run([this] { return hypervisor_->destroy(); }).then([this](Result<void>&& answer) {
        over("ended");
        return kj::mv(answer);
    });
}

Result<void> VmMachine::attach_share(ShareRequest request) {
    RUNVM_TRY(vm::attach_tree(request.tree.get(), request.container + "/" + request.name,
                              {request.readonly, request.readonly_recursive}));
    shares_[request.container].push_back(request.name);
    return {};
}

Result<void> VmMachine::make_share_readonly(const std::string& container, const std::string& name) {
    return vm::make_tree_readonly(container + "/" + name, false);
}

void VmMachine::detach_shares(const std::string& container) {
    if (file_events_)
        file_events_->unwatch_below(container);
    // What stays attached goes with the namespace.
    for (const std::string& name : shares_[container])
        (void)vm::detach_tree(container + "/" + name);
    shares_.erase(container);
}

kj::Promise<Result<void>> VmMachine::plug_disk(DiskRequest request) {
    if (has_libvirtd())
        return Result<void>(Error(ErrorKind::unsupported,
                                  "a machine of libvirtd's is given no block devices: libvirt.uri must be "
                                  "\"qemu:///embed\" for containers that have some"));
    vm::DiskSpec disk{request.serial, "", next_disk_++, request.readonly};
    auto node = vm::make_disk_node(disk, request.device, uid_.uid);
    if (!node)
        return Result<void>(std::move(node).error());
    disk.path = node->path;
    disk_claims_[request.serial] = std::move(node->claim);
    return call([disk](vm::Hypervisor& hypervisor) { return hypervisor.plug_disk(disk); })
        .then([this, serial = request.serial](Result<void>&& plugged) {
            if (!plugged) {
                vm::remove_disk_node(serial);
                disk_claims_.erase(serial);
            }
            return kj::mv(plugged);
        });
}

kj::Promise<Result<void>> VmMachine::unplug_disk(const std::string& serial) {
    vm::remove_disk_node(serial); // QEMU has it open
    return call([serial](vm::Hypervisor& hypervisor) { return hypervisor.unplug_disk(serial); })
        .then([this, serial](Result<void>&& unplugged) {
            disk_claims_.erase(serial);
            return kj::mv(unplugged);
        });
}

void VmMachine::open_file_events() {
    auto events = vm::FileEvents::open(vm::monitor_path::shared, virtiofsd_.pid);
    if (!events)
        return;
    file_events_ = std::move(*events);
    file_events_observer_ = kj::heap<kj::UnixEventPort::FdObserver>(
        io_.unixEventPort, file_events_->fd(), kj::UnixEventPort::FdObserver::OBSERVE_READ);
}

Result<void> VmMachine::watch_file(uint32_t id, const std::string& path) {
    if (!file_events_)
        return Error(ErrorKind::unsupported, "the host's kernel has no fanotify");
    return file_events_->watch(id, path);
}

void VmMachine::unwatch_file(uint32_t id) {
    if (file_events_)
        file_events_->unwatch(id);
}

kj::Promise<std::vector<vm::FileEvent>> VmMachine::next_file_events() {
    if (!file_events_)
        return kj::NEVER_DONE;
    if (auto events = file_events_->read(); !events.empty())
        return events;
    return file_events_observer_->whenBecomesReadable().then([this] { return next_file_events(); });
}

std::string VmMachine::console_tail() const {
    return console_.tail(console_lines_in_errors);
}

pid_t VmMachine::qemu_pid() const {
    return hypervisor_ == nullptr ? 0 : hypervisor_->process_id();
}

} // namespace runvm::sandbox
