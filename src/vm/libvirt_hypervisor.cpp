#include "vm/hypervisor.h"

#include "core/defer.h"
#include "os/file.h"
#include "os/process.h"
#include "os/selinux.h"
#include "vm/capability_cache.h"
#include "vm/libvirt_event_loop.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace runvm::vm {
namespace {

constexpr const char* embed_uri = "qemu:///embed";
constexpr size_t log_tail_bytes = 4096;
constexpr int kill_timeout_ms = 10'000;
constexpr auto daemon_return_limit = std::chrono::seconds(5);
constexpr auto daemon_return_interval = std::chrono::milliseconds(200);
constexpr int keepalive_interval_s = 5;
constexpr unsigned keepalive_count = 3;

/// The last error of libvirt on this thread.
Error libvirt_error(const std::string& step) {
    const virError* last = virGetLastError();
    std::string message =
        last != nullptr && last->message != nullptr ? last->message : "libvirt gives no reason";
    Error error(ErrorKind::internal, message);
    error.add_context(step);
    return error;
}

/// The call that failed was of a machine that has ended.
bool is_over() {
    int code = virGetLastErrorCode();
    return code == VIR_ERR_NO_DOMAIN || code == VIR_ERR_OPERATION_INVALID;
}

/// Holds the calling thread on one cpu: with /dev/kvm in sight libvirt throws its capability cache away when
/// the cpuid data differ from those of the cpu that filled it, and they do differ from cpu to cpu (APIC id).
class OneCpu {
public:
    OneCpu() {
        if (::sched_getaffinity(0, sizeof before_, &before_) != 0)
            return;
        for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
            if (!CPU_ISSET(cpu, &before_))
                continue;
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            if (::sched_setaffinity(0, sizeof one, &one) == 0)
                cpu_ = cpu;
            return;
        }
    }
    OneCpu(const OneCpu&) = delete;
    OneCpu& operator=(const OneCpu&) = delete;
    ~OneCpu() {
        if (cpu_ >= 0)
            ::sched_setaffinity(0, sizeof before_, &before_);
    }
    /// The cpu's number, or -1 if the thread could not be held.
    int number() const { return cpu_; }

private:
    cpu_set_t before_{};
    int cpu_ = -1;
};

std::string qemu_conf(const LibvirtOptions& options) {
    std::string conf;
    conf += "stdio_handler = \"file\"\n"; // there is no virtlogd
    conf += "user = \"+" + std::to_string(options.qemu_uid) + "\"\n";
    conf += "group = \"+" + std::to_string(options.qemu_gid) + "\"\n";
    conf +=
        "dynamic_ownership = 0\nremember_owner = 0\n"; // the files it opens are the host's: never chown them
    conf += "security_driver = \"none\"\n";
    conf += "namespaces = []\ncgroup_controllers = []\n"; // the monitor has made them
    conf += "clear_emulator_capabilities = 1\nseccomp_sandbox = 1\n";
    // With it libvirt reads each of the cpu's 400 properties after QEMU's start, one call each: 0.3 s under
    // TCG (qemuProcessFetchGuestCPU). Without it, it reads all of them as one list.
    conf += "capability_filters = [\"cpu-unavailable-features\"]\n";
    conf += "max_core = 0\n"; // a guest that crashes QEMU must not fill the host's disk
    return conf;
}

class LibvirtHypervisor final : public Hypervisor {
public:
    explicit LibvirtHypervisor(LibvirtOptions options) : options_(std::move(options)) {}
    LibvirtHypervisor(const LibvirtHypervisor&) = delete;
    LibvirtHypervisor& operator=(const LibvirtHypervisor&) = delete;
    ~LibvirtHypervisor() override;

    Result<void> start(const MachineSpec& spec) override;
    Result<void> suspend() override;
    Result<void> resume() override;
    Result<void> resize(uint32_t vcpus, uint64_t growth_mib) override;
    Result<void> plug_disk(const DiskSpec& disk) override;
    Result<void> unplug_disk(const std::string& serial) override;
    Result<void> plug_nic(const Nic& nic) override;
    Result<void> unplug_nic(const Nic& nic) override;
    Result<void> destroy() override;
    pid_t process_id() const override { return pid_; }
    std::string log_tail() const override;
    void on_exit(std::function<void(std::string reason)> callback) override;

private:
    bool embedded() const { return options_.uri == embed_uri; }
    Result<void> open(const MachineSpec& spec);
    Result<void> create(const MachineSpec& spec);
    Result<void> find_process();
    Result<void> watch_process();
    void on_lifecycle(int event);
    static void connection_lost(virConnectPtr connection, int reason, void* self);
    Result<void> destroy_by_name(virConnectPtr connection);
    Result<void> attach_device(const std::string& xml, const std::string& step);
    Result<void> destroy_by_libvirtd();
    Result<void> destroy_over_new_connection();
    void set_reason(const char* reason);
    void ended();

    LibvirtOptions options_;
    EventLoop event_loop_;
    virConnectPtr connection_ = nullptr;
    virDomainPtr domain_ = nullptr;
    int lifecycle_callback_ = -1;
    MachineSpec spec_;
    std::atomic<pid_t> pid_ = 0;
    os::Fd pidfd_;
    std::atomic<int> process_watch_ = -1;
    std::mutex mutex_; ///< of what follows
    std::function<void(std::string)> exit_callback_;
    bool over_ = false;
    std::string reason_;
};

LibvirtHypervisor::~LibvirtHypervisor() {
    event_loop_.stop();
    if (process_watch_ >= 0)
        virEventRemoveHandle(process_watch_);
    if (connection_ != nullptr && !embedded())
        (void)virConnectUnregisterCloseCallback(connection_, connection_lost);
    if (lifecycle_callback_ >= 0)
        virConnectDomainEventDeregisterAny(connection_, lifecycle_callback_);
    if (domain_ != nullptr)
        virDomainFree(domain_);
    if (connection_ != nullptr)
        virConnectClose(connection_);
}

Result<void> LibvirtHypervisor::open(const MachineSpec& spec) {
    if (!embedded()) {
        connection_ = virConnectOpen(options_.uri.c_str());
        if (connection_ == nullptr)
            return libvirt_error("open " + options_.uri);
        if (virConnectSetKeepAlive(connection_, keepalive_interval_s, keepalive_count) < 0 ||
            virConnectRegisterCloseCallback(connection_, connection_lost, this, nullptr) != 0)
            return libvirt_error("watch the connection to " + options_.uri);
        return {};
    }
    RUNVM_TRY(os::make_folders(options_.root_folder + "/etc", 0755));
    RUNVM_TRY(
        os::write_file_atomically(options_.root_folder + "/etc/qemu.conf", qemu_conf(options_), 0600, false));

    // What libvirt finds out differs with /dev/kvm in sight, and then from cpu to cpu.
    std::optional<OneCpu> held;
    std::string kind = "tcg";
    if (spec.accelerator == "kvm")
        kind = "kvm-cpu" + std::to_string(held.emplace().number());
    CapabilityCache cache(options_.cache_folder.empty() ? "" : options_.cache_folder + "/" + kind,
                          options_.root_folder);
    cache.fetch();
    std::string uri = options_.uri + "?root=" + options_.root_folder;
    connection_ = virConnectOpen(uri.c_str());
    if (connection_ == nullptr)
        return libvirt_error("open " + uri);
    // Makes libvirt look at the emulator now, and at no other: see make_libvirt_hypervisor.
    char* capabilities =
        virConnectGetDomainCapabilities(connection_, spec.emulator_path.c_str(), "x86_64",
                                        spec.machine.c_str(), spec.accelerator == "kvm" ? "kvm" : "qemu", 0);
    if (capabilities == nullptr)
        return libvirt_error("ask " + spec.emulator_path + " what it can do");
    std::free(capabilities); // NOLINT: libvirt hands out memory of malloc
    cache.store();
    return {};
}

/// Whichever machine has this one's name, if there is any: the name is of the sandbox's folder, which is ours
/// alone.
Result<void> LibvirtHypervisor::destroy_by_name(virConnectPtr connection) {
    virDomainPtr domain = virDomainLookupByName(connection, spec_.name.c_str());
    Defer free([&] {
        if (domain != nullptr)
            virDomainFree(domain);
    });
    bool is_destroyed = domain != nullptr && virDomainDestroy(domain) == 0;
    return is_destroyed || is_over() ? Result<void>() : libvirt_error("end the machine " + spec_.name);
}

Result<void> LibvirtHypervisor::create(const MachineSpec& spec) {
    spec_ = spec;
    // A libvirtd tells of every machine; that of an earlier sandbox has this one's name.
    auto forward = [](virConnectPtr, virDomainPtr domain, int event, int, void* self) {
        auto* hypervisor = static_cast<LibvirtHypervisor*>(self);
        std::array<char, VIR_UUID_STRING_BUFLEN> uuid{};
        if (virDomainGetUUIDString(domain, uuid.data()) == 0 && hypervisor->spec_.uuid == uuid.data())
            hypervisor->on_lifecycle(event);
        return 0;
    };
    // libvirt's one registration function for callbacks of all kinds takes them by a cast.
    lifecycle_callback_ = virConnectDomainEventRegisterAny(
        connection_, nullptr, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
        VIR_DOMAIN_EVENT_CALLBACK(static_cast<virConnectDomainEventCallback>(forward)), this, nullptr);
    if (lifecycle_callback_ < 0)
        return libvirt_error("listen to the machine's events");
    // A libvirtd that was killed leaves its machines running.
    if (!embedded())
        RUNVM_TRY(destroy_by_name(connection_).context("clear away what an earlier sandbox has left"));
    // A libvirtd ends the machine when the monitor is gone, as the embedded driver's reaper does.
    unsigned flags = embedded() ? 0 : VIR_DOMAIN_START_AUTODESTROY;
    // libvirt starts QEMU from this thread, and has been told to leave labels alone.
    RUNVM_ASSIGN(auto label, os::LabelOfNextExec::set(embedded() ? spec.selinux_label : ""));
    domain_ = virDomainCreateXML(connection_, domain_xml(spec).c_str(), flags);
    if (domain_ == nullptr)
        return libvirt_error("start QEMU");
    return {};
}

Result<void> LibvirtHypervisor::find_process() {
    std::string path = options_.root_folder + "/run/qemu/" + spec_.name + ".pid";
    RUNVM_ASSIGN(std::string text, os::read_file(path, 64));
    pid_t pid = 0;
    auto parsed = std::from_chars(text.data(), text.data() + text.size(), pid);
    if (parsed.ec != std::errc() || pid <= 1)
        return Error(ErrorKind::corrupted, "QEMU's pid file " + path + " holds no pid");
    RUNVM_ASSIGN(pidfd_, os::open_pidfd(pid));
    pid_ = pid;
    return {};
}

/// libvirt's own word of QEMU's end comes 0.2 s after it: look at the process itself.
Result<void> LibvirtHypervisor::watch_process() {
    auto forward = [](int, int, int, void* self) { static_cast<LibvirtHypervisor*>(self)->ended(); };
    process_watch_ = virEventAddHandle(pidfd_.get(), VIR_EVENT_HANDLE_READABLE, forward, this, nullptr);
    if (process_watch_ < 0)
        return libvirt_error("watch QEMU's process");
    return {};
}

Result<void> LibvirtHypervisor::start(const MachineSpec& spec) {
    RUNVM_TRY(open(spec));
    RUNVM_TRY(create(spec));
    if (embedded()) {
        RUNVM_TRY(find_process());
        RUNVM_TRY(watch_process());
    }
    ::malloc_trim(0); // what the parsing of capabilities has left behind
    return {};
}

Result<void> LibvirtHypervisor::suspend() {
    if (domain_ == nullptr)
        return Error(ErrorKind::wrong_state, "the machine has not been started");
    if (virDomainSuspend(domain_) != 0)
        return libvirt_error("suspend the machine");
    return {};
}

Result<void> LibvirtHypervisor::resume() {
    if (domain_ == nullptr)
        return Error(ErrorKind::wrong_state, "the machine has not been started");
    if (virDomainResume(domain_) != 0)
        return libvirt_error("resume the machine");
    return {};
}

Result<void> LibvirtHypervisor::resize(uint32_t vcpus, uint64_t growth_mib) {
    if (domain_ == nullptr)
        return Error(ErrorKind::wrong_state, "the machine has not been started");
    int plugged = virDomainGetVcpusFlags(domain_, VIR_DOMAIN_VCPU_LIVE);
    if (plugged < 0)
        return libvirt_error("count the machine's cpus");
    if (vcpus > static_cast<uint32_t>(plugged) &&
        virDomainSetVcpusFlags(domain_, vcpus, VIR_DOMAIN_VCPU_LIVE) != 0)
        return libvirt_error("plug cpus into the machine");
    if (largest_growth_mib(spec_.memory_mib, spec_.max_memory_mib) == 0)
        return {};
    using Text = std::unique_ptr<char, decltype(&std::free)>;
    Text live(virDomainGetXMLDesc(domain_, 0), &std::free);
    if (!live)
        return libvirt_error("ask for the machine's memory");
    std::string device = growth_device_xml(spec_, growth_mib, growth_address(live.get()));
    if (virDomainUpdateDeviceFlags(domain_, device.c_str(), VIR_DOMAIN_DEVICE_MODIFY_LIVE) != 0)
        return libvirt_error("change the machine's memory");
    return {};
}

Result<void> LibvirtHypervisor::attach_device(const std::string& xml, const std::string& step) {
    if (domain_ == nullptr)
        return Error(ErrorKind::wrong_state, "the machine has not been started");
    if (virDomainAttachDeviceFlags(domain_, xml.c_str(), VIR_DOMAIN_DEVICE_MODIFY_LIVE) == 0)
        return {};
    Error error = libvirt_error(step);
    if (error.to_string().find("No more available PCI slots") == std::string::npos)
        return error;
    return Error(ErrorKind::unavailable, step + ": it has no slot left of " + std::to_string(hotplug_slots));
}

Result<void> LibvirtHypervisor::plug_disk(const DiskSpec& disk) {
    return attach_device(disk_xml(disk), "plug a disk into the machine");
}

Result<void> LibvirtHypervisor::unplug_disk(const std::string& serial) {
    if (domain_ == nullptr)
        return {};
    if (virDomainDetachDeviceAlias(domain_, disk_alias(serial).c_str(), VIR_DOMAIN_DEVICE_MODIFY_LIVE) != 0)
        return libvirt_error("unplug a disk");
    return {};
}

Result<void> LibvirtHypervisor::plug_nic(const Nic& nic) {
    return attach_device(nic_xml(nic), "plug a NIC into the machine");
}

Result<void> LibvirtHypervisor::unplug_nic(const Nic& nic) {
    if (domain_ == nullptr)
        return Error(ErrorKind::wrong_state, "the machine has not been started");
    if (virDomainDetachDeviceAlias(domain_, ("ua-" + nic.tap).c_str(), VIR_DOMAIN_AFFECT_LIVE) != 0)
        return libvirt_error("unplug a NIC from the machine");
    return {};
}

Result<void> LibvirtHypervisor::destroy_over_new_connection() {
    virConnectPtr connection = virConnectOpen(options_.uri.c_str());
    if (connection == nullptr)
        return libvirt_error("open " + options_.uri);
    Defer close([&] { virConnectClose(connection); });
    return destroy_by_name(connection);
}

Result<void> LibvirtHypervisor::destroy_by_libvirtd() {
    if (virDomainDestroy(domain_) == 0 || is_over())
        return {};
    // The daemon may be about to be started anew. What it does not get to hear now ends before the next
    // machine of this name starts (create).
    auto deadline = std::chrono::steady_clock::now() + daemon_return_limit;
    Result<void> ended = destroy_over_new_connection();
    while (!ended && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(daemon_return_interval);
        ended = destroy_over_new_connection();
    }
    return ended;
}

Result<void> LibvirtHypervisor::destroy() {
    if (domain_ == nullptr)
        return {};
    set_reason("the machine was ended");
    if (!embedded())
        return destroy_by_libvirtd();
    // virDomainDestroy waits between SIGTERM and SIGKILL: 1.2 to 2.2 s for a guest that has nothing to lose.
    auto killed = os::send_signal(pidfd_.get(), SIGKILL);
    if (!killed && killed.error().kind() != ErrorKind::process_finished)
        return killed;
    RUNVM_ASSIGN(bool dead, os::wait_for_end(pidfd_.get(), kill_timeout_ms));
    if (!dead)
        return Error(ErrorKind::timeout, "QEMU has not ended after SIGKILL");
    return {};
}

std::string LibvirtHypervisor::log_tail() const {
    if (!embedded() || spec_.name.empty())
        return {};
    auto log = os::open_file(options_.root_folder + "/log/qemu/" + spec_.name + ".log", O_RDONLY);
    if (!log)
        return {};
    struct stat info {};
    if (::fstat(log->get(), &info) != 0)
        return {};
    std::string tail(log_tail_bytes, '\0');
    off_t begin = std::max<off_t>(0, info.st_size - static_cast<off_t>(log_tail_bytes));
    ssize_t size = ::pread(log->get(), tail.data(), tail.size(), begin);
    tail.resize(size < 0 ? 0 : static_cast<size_t>(size));
    // libvirt writes the whole command line first, a line an option, each but the last continued: that is no
    // help.
    if (size_t continued = tail.rfind(" \\\n"); continued != std::string::npos) {
        size_t end = tail.find('\n', continued + 3);
        tail.erase(0, end == std::string::npos ? tail.size() : end + 1);
    }
    return tail;
}

void LibvirtHypervisor::on_lifecycle(int event) {
    if (event == VIR_DOMAIN_EVENT_SHUTDOWN)
        set_reason("the guest powered off or panicked");
    if (event == VIR_DOMAIN_EVENT_STOPPED)
        ended();
}

void LibvirtHypervisor::connection_lost(virConnectPtr, int, void* self) {
    auto* hypervisor = static_cast<LibvirtHypervisor*>(self);
    hypervisor->set_reason("the connection to libvirtd was lost");
    hypervisor->ended();
}

/// Why the machine ends; the first reason counts.
void LibvirtHypervisor::set_reason(const char* reason) {
    std::lock_guard lock(mutex_);
    if (reason_.empty())
        reason_ = reason;
}

/// Comes twice, from the process and from libvirt.
void LibvirtHypervisor::ended() {
    std::function<void(std::string)> callback;
    set_reason("QEMU ended unexpectedly");
    {
        std::lock_guard lock(mutex_);
        over_ = true;
        std::swap(callback, exit_callback_);
        if (process_watch_ >= 0)
            virEventUpdateHandle(process_watch_, 0); // it stays readable for ever
    }
    if (callback)
        callback(reason_);
}

void LibvirtHypervisor::on_exit(std::function<void(std::string reason)> callback) {
    {
        std::lock_guard lock(mutex_);
        if (!over_) {
            exit_callback_ = std::move(callback);
            return;
        }
    }
    callback(reason_);
}

} // namespace

std::unique_ptr<Hypervisor> make_libvirt_hypervisor(LibvirtOptions options) {
    if (options.uri == embed_uri) {
        // libvirt looks at each emulator it finds in PATH when it opens, by starting it: let it find none.
        // The machine's own is named by its path.
        ::setenv("PATH", "/nonexistent", 1);
        // Or its log goes to stderr.
        ::setenv("LIBVIRT_LOG_OUTPUTS", ("3:file:" + options.root_folder + "/log/libvirt.log").c_str(), 0);
    }
    return std::make_unique<LibvirtHypervisor>(std::move(options));
}

} // namespace runvm::vm
