#include "runtime/creation.h"

#include "config/annotations.h"

#include "core/time.h"
#include "network/namespace.h"
#include "network/served.h"
#include "os/file.h"
#include "os/unix_socket.h"
#include "runtime/fault_point.h"
#include "runtime/foreground.h"
#include "runtime/host_cgroup.h"
#include "runtime/late_hooks.h"
#include "runtime/network_namespace.h"
#include "runtime/offer.h"
#include "runtime/sandbox_config.h"
#include "runtime/share_tree.h"
#include "runtime/shared_sandbox.h"
#include "runtime/shim_mounts.h"

#include <chrono>
#include <fcntl.h>
#include <sched.h>
#include <sys/utsname.h>
#include <thread>
#include <unistd.h>

namespace runvm::runtime {

namespace {

// Of its process, as it sees it: the container has a pid namespace of its own.
constexpr pid_t pid_in_container = 1;

// How long another command may take from writing down that its container is created to committing it.
constexpr std::chrono::seconds commit_limit{5};
constexpr std::chrono::milliseconds join_pause{10};

void fill_start_hooks(const std::vector<oci::Hook>& hooks, protocol::Container::Builder container) {
    auto fill = [](const std::vector<std::string>& texts, capnp::List<capnp::Text>::Builder out) {
        for (unsigned i = 0; i < out.size(); ++i)
            out.set(i, texts[i]);
    };
    auto list = container.initStartHooks(static_cast<unsigned>(hooks.size()));
    for (unsigned i = 0; i < list.size(); ++i) {
        const oci::Hook& hook = hooks[i];
        list[i].setPath(hook.path);
        fill(hook.args, list[i].initArgs(static_cast<unsigned>(hook.args.size())));
        list[i].setHasEnv(hook.env.has_value());
        if (hook.env)
            fill(*hook.env, list[i].initEnv(static_cast<unsigned>(hook.env->size())));
        list[i].setTimeoutS(hook.timeout_s);
    }
}

// A new UTS namespace of the host has the names of the one it is made from: under runc the container sees
// those. A sysctl counts more: it is set after the name, but in a user namespace the agent has to set it
// before.
void take_names(protocol::Container::Builder container) {
    utsname host{};
    if (::uname(&host) != 0)
        return;
    if (container.getHostname().size() == 0)
        container.setHostname(host.nodename);
    if (container.getDomainname().size() == 0)
        container.setDomainname(host.domainname);
    for (auto sysctl : container.getSysctl())
        if (sysctl.getKey() == "kernel/domainname")
            container.setDomainname(sysctl.asReader().getValue());
}

// Of the namespace that it joins; empty: a new one.
std::string network_path_of(const oci::HostPlan& plan) {
    for (const oci::HostNamespace& space : plan.namespaces)
        if (space.clone_flag == CLONE_NEWNET)
            return space.path;
    return "";
}

} // namespace

Result<void> write_pid_file(const std::string& path, pid_t pid) {
    if (path.empty())
        return {};
    return os::write_file_atomically(path, std::to_string(pid), 0644, false).context("write the pid file");
}

// runc 1.2, utils_linux.go: a descriptor of the process for the caller that wants one.
Result<void> send_pidfd(int pidfd, const std::string& socket_path) {
    auto socket = os::connect_unix(socket_path);
    if (!socket)
        return std::move(socket).context("connect to pidfd socket " + socket_path).error();
    return os::send_fd(socket->get(), pidfd, "pidfd");
}

Creation::Creation(Context& context, const CreateOptions& options, bool stays)
    : context_(context), options_(options), stays_(stays) {}

Creation::~Creation() {
    if (!finished_)
        undo();
}

Result<void> Creation::create() {
    RUNVM_TRY(state::check_id(options_.id));
    RUNVM_TRY(read_bundle());
    RUNVM_TRY(check_console_socket(plan_.terminal, !stays_, options_.console_socket));
    RUNVM_TRY(check_streams(plan_.terminal, options_.preserve_fds));
    if (stays_)
        hold_signals();
    interrupts_.emplace();
    RUNVM_TRY(reserve());
    for (const std::string& note : plan_.notes)
        context_.trace("config.json: " + note);
    context_.trace("cgroup on the host: " + oci::to_string(cgroup_));
    context_.trace("create: reserved the id");
    fault_point("create.after-reserve");
    if (auto entered = enter_sandbox(); !entered)
        return explain(std::move(entered).error());
    if (auto started = start_shims(); !started)
        return explain(std::move(started).error());
    context_.trace("create: started the shims");
    RUNVM_TRY(leave_machine_unbounded());
    fault_point("create.after-shim");
    RUNVM_TRY(run_early_hooks());
    if (auto offered = offer_links(); !offered)
        return explain(std::move(offered).error());
    if (auto created = create_in_guest(); !created)
        return explain(std::move(created).error());
    context_.trace("create: the guest has made the container");
    for (const std::string& failure : mount_for_callers(init_.process.pidfd.get(), plan_.shares))
        context_.trace("create: not mounted for callers: " + failure);
    fault_point("create.after-container");
    RUNVM_TRY(publish());
    context_.trace("create: done");
    return {};
}

Result<void> Creation::read_bundle() {
    std::string bundle = options_.bundle.empty() ? "." : options_.bundle;
    RUNVM_ASSIGN(bundle, os::real_path(bundle));
    std::string path = bundle + "/config.json";
    auto read = os::read_file(path);
    if (!read && read.error().errno_value() == ENOENT) // runc's words
        return Error(ErrorKind::invalid_argument,
                     "JSON specification file config.json not found in " + bundle);
    RUNVM_ASSIGN(std::string text, std::move(read));
    auto container = message_.initRoot<protocol::Container>();
    RUNVM_ASSIGN(plan_, oci::plan_container(text, path, bundle, container));
    RUNVM_TRY(check_id_mapped_shares(plan_.shares));
    RUNVM_ASSIGN(context_.config, config::with_annotations(std::move(context_.config), plan_.annotations));
    take_names(container);
    if (!options_.no_new_keyring)
        container.setSessionKeyring("_ses." + options_.id); // runc's name, standard_init_linux.go

    RUNVM_ASSIGN(cgroup_, oci::parse_cgroups_path(plan_.cgroups_path, options_.id, context_.systemd_cgroup));

    container_.id = options_.id;
    container_.oci_version = plan_.oci_version;
    container_.bundle = bundle;
    container_.rootfs = plan_.rootfs;
    container_.annotations = plan_.annotations;
    container_.owner = ::getuid();
    container_.config = std::move(text);
    fill_start_hooks(plan_.hooks.start_container, container);
    container.setHookState(oci::hook_state(container_, "created", pid_in_container));
    return {};
}

Result<void> Creation::reserve() {
    RUNVM_ASSIGN(state::Lock lock, context_.store->reserve(options_.id));
    lock_.emplace(std::move(lock));
    reserved_ = true;
    container_.created_ns = now_ns();
    container_.creator = state::process_ref(::getpid());
    RUNVM_TRY(choose_sandbox());
    RUNVM_TRY(choose_cgroup(context_, cgroup_, container_));
    container_.machine_mib =
        boot_memory_mib(context_, message_.getRoot<protocol::Container>().asReader().getResources());
    // Before it is made: so it is found by who clears up after a command that was killed.
    return context_.store->save(container_);
}

// One of its own; that of this name may be the machine of others by now, whom a container of this name had
// let in.
Result<void> Creation::choose_sandbox() {
    std::string sandbox_id = options_.id;
    RUNVM_ASSIGN(bool is_taken, is_sandbox_of_others(
                                    context_, state::sandbox_folder(context_.root, sandbox_id), options_.id));
    constexpr size_t longest_part = 200; // of at most 255
    if (is_taken)
        sandbox_id = options_.id.substr(0, longest_part) + "+" + std::to_string(container_.creator.pid) +
                     "-" + std::to_string(container_.creator.start_time);
    container_.sandbox_id = sandbox_id;
    container_.sandbox_folder = state::sandbox_folder(context_.root, sandbox_id);
    return {};
}

Result<void> Creation::enter_sandbox() {
    RUNVM_TRY(join_sandbox());
    if (has_joined_) {
        context_.trace("create: joined the machine of sandbox " + container_.sandbox_id);
        return {};
    }
    RUNVM_TRY(boot_sandbox());
    context_.trace("create: the machine is booting");
    return {};
}

// Who is to be joined reads as created a moment before it is committed.
Result<void> Creation::ask_to_join() {
    using std::chrono::steady_clock;
    auto deadline = steady_clock::now() + commit_limit;
    while (true) {
        auto request = connection_->sandbox().joinRequest();
        request.setId(options_.id);
        auto joined = connection_->tell(request.send(), monitor_timeout_ms, "join");
        if (joined || joined.error().kind() != ErrorKind::wrong_state || steady_clock::now() >= deadline)
            return joined;
        std::this_thread::sleep_for(join_pause);
    }
}

// The machine of who lives in the network namespace that the container is to be in, if there is one. Its
// sandbox is locked until the container has a cgroup: whoever deletes the other one may put the machine
// there.
Result<void> Creation::join_sandbox() {
    RUNVM_ASSIGN(auto other, find_in_network(context_, network_path_of(plan_)));
    if (!other)
        return {};
    RUNVM_ASSIGN(sandbox_lock_, state::lock_sandbox(other->sandbox_folder));
    auto connection = MonitorConnection::open(other->sandbox_folder);
    if (!connection) { // it has ended meanwhile
        sandbox_lock_.reset();
        return {};
    }
    connection_ = std::move(*connection);
    connection_->interrupted_by(interrupts_->fd());
    has_joined_ = true; // from here on it is not this command's to remove
    container_.sandbox_id = other->sandbox_id;
    container_.sandbox_folder = other->sandbox_folder;
    container_.reaper = other->reaper;
    // Before: who deletes the other one looks for it.
    RUNVM_TRY(context_.store->save(container_));
    fault_point("create.before-join");
    auto joined = ask_to_join();
    if (joined)
        return {};
    if (joined.error().kind() != ErrorKind::unavailable)
        return std::move(joined).context("join the machine of container " + other->id);
    connection_.reset();
    sandbox_lock_.reset();
    has_joined_ = false;
    container_.reaper = {};
    RUNVM_TRY(choose_sandbox());
    return context_.store->save(container_);
}

// Its owner's limits on the host would bound all of it.
Result<void> Creation::leave_machine_unbounded() {
    if (!has_joined_)
        return {};
    RUNVM_TRY(note_shared(container_.sandbox_folder)); // before: an `update` may be under way
    RUNVM_ASSIGN(auto others, all_others_in_sandbox(context_, container_.sandbox_folder, options_.id));
    for (const state::Container& other : others) {
        auto lifted = lift_limits(other);
        if (!lifted && state::effective_status(other) != state::Status::stopped) // its cgroup may be gone
            return std::move(lifted).context("the limits of container " + other.id);
    }
    sandbox_lock_.reset();
    fault_point("create.after-join");
    return {};
}

Result<void> Creation::found_cgroup(pid_t first) {
    if (container_.cgroup_folders.empty())
        return {};
    cgroup_founded_ = true;
    RUNVM_TRY(note_cgroup(container_));
    RUNVM_TRY(runtime::found_cgroup(
        container_, cgroup_.slice, has_joined_ ? limits_beside_machine(plan_.host_limits) : plan_.host_limits,
        first));
    context_.trace("create: made the cgroup");
    fault_point("create.after-cgroup");
    return {};
}

Result<void> Creation::boot_sandbox() {
    // Of a container that was there before.
    RUNVM_TRY(state::remove_sandbox_folder(container_.sandbox_folder));
    RUNVM_TRY(state::claim_sandbox_folder(context_.root, container_.sandbox_id));
    has_folder_ = true;
    RUNVM_ASSIGN(StartedMonitor monitor, start_monitor(context_.layout, container_.sandbox_folder,
                                                       [this](pid_t pid) { return found_cgroup(pid); }));
    reaper_ = std::move(monitor.reaper);
    container_.reaper = state::process_ref(reaper_.pid);
    fault_point("create.after-monitor");

    connection_ = std::make_unique<MonitorConnection>(std::move(monitor.connection));
    connection_->interrupted_by(interrupts_->fd());
    auto request = connection_->service().createSandboxRequest();
    auto sandbox_config = request.initConfig();
    RUNVM_TRY(fill_sandbox_config(context_, message_.getRoot<protocol::Container>().asReader().getResources(),
                                  container_.sandbox_id, sandbox_config));
    sandbox_config.setSelinuxLabel(plan_.selinux_label);
    if (config::has_libvirtd(context_.config)) {
        RUNVM_ASSIGN(std::string folder,
                     state::claim_machine_folder(context_.config.paths.run, container_.sandbox_folder));
        sandbox_config.setMachineFolder(folder);
    }
    RUNVM_TRY(connection_->tell(request.send(), monitor_timeout_ms, "createSandbox"));
    fault_point("create.after-sandbox");
    return {};
}

Result<void> Creation::start_shims() {
    if (plan_.terminal) {
        RUNVM_ASSIGN(terminal_, open_terminal(plan_.console_height, plan_.console_width));
        foreground_terminal_ = stays_;
    }
    RUNVM_ASSIGN(streams_, make_streams(plan_.terminal, options_.preserve_fds));
    // Without a machine to start, that is the first process of its cgroup.
    EnterCgroup enter = enter_cgroup_of(container_);
    if (has_joined_)
        enter = [this](pid_t pid) { return found_cgroup(pid); };
    RUNVM_ASSIGN(init_, start_shim_init(context_.layout, plan_, enter));

    ShimRequest request;
    request.id = options_.id;
    request.init = &init_;
    request.enter_cgroup = enter_cgroup_of(container_);
    request.memory_cgroup = memory_cgroup_of(container_);
    request.preserve_fds = options_.preserve_fds;
    request.streams = &streams_;
    RUNVM_ASSIGN(request.monitor, os::connect_unix(container_.sandbox_folder + "/monitor.sock"));
    if (terminal_)
        request.terminal = os::Fd(::dup(terminal_->slave.get()));
    RUNVM_ASSIGN(shim_, start_shim(context_.layout, std::move(request)));
    init_.alive.reset();

    container_.shim = state::process_ref(shim_.pid);
    container_.shim_init = state::process_ref(init_.process.pid);
    return context_.store->save(container_);
}

// Docker's hook has made them, or the engine does so later: the monitor follows what is in the namespace.
Result<void> Creation::offer_links() {
    if (config::has_libvirtd(context_.config))
        RUNVM_TRY(refuse_links());
    RUNVM_TRY(offer_network(*connection_, init_.process.pid));
    context_.trace("create: the machine follows the network namespace");
    return {};
}

// Now, and not when the machine cannot get them.
Result<void> Creation::refuse_links() const {
    RUNVM_ASSIGN(os::Fd fd,
                 os::open_file("/proc/" + std::to_string(init_.process.pid) + "/ns/net", O_RDONLY));
    return network::Namespace(std::move(fd)).run([this]() -> Result<void> {
        RUNVM_ASSIGN(network::Netlink netlink, network::Netlink::open());
        RUNVM_ASSIGN(network::Reading reading, network::read_state(netlink));
        for (const network::Link& link : network::served_state(reading).links)
            if (!link.is_loopback)
                return Error(ErrorKind::unsupported,
                             "the container's network namespace has the link " + link.name +
                                 ", which a machine of libvirtd's does not get into: libvirt.uri must be "
                                 "\"qemu:///embed\" for containers with a network, found \"" +
                                 context_.config.libvirt.uri + '"');
        return {};
    });
}

// Before the rootfs is the root of the shims' namespaces, and is shared with the guest.
Result<void> Creation::run_early_hooks() {
    if (!plan_.hooks.before_root_changes())
        return {};
    hooks::Place host{.cwd = container_.bundle, .interrupts_fd = interrupts_->fd()};
    std::string state = oci::hook_state(container_, "creating", shim_.pid);
    RUNVM_TRY(hooks::run("prestart", plan_.hooks.prestart, state, host));
    RUNVM_TRY(hooks::run("createRuntime", plan_.hooks.create_runtime, state, host));

    std::string path = "/proc/" + std::to_string(init_.process.pid) + "/ns/pid";
    RUNVM_ASSIGN(os::Fd pid_namespace, os::open_file(path, O_RDONLY));
    hooks::Place inside{container_.rootfs, init_.process.pidfd.get(), pid_namespace.get(), interrupts_->fd()};
    RUNVM_TRY(hooks::run("createContainer", plan_.hooks.create_container,
                         oci::hook_state(container_, "creating", pid_in_container), inside));
    context_.trace("create: the hooks have run");
    return release(init_);
}

Result<void> Creation::create_in_guest() {
    protocol::Sandbox::Client sandbox = connection_->sandbox(); // one: it keeps what it is offered
    RUNVM_TRY(offer_streams(*connection_, sandbox, {options_.id, ""}, streams_));
    bool root_changed = plan_.hooks.before_root_changes();
    RUNVM_TRY(offer_shares(*connection_, sandbox, options_.id, plan_.shares,
                           root_changed ? init_.process.pidfd.get() : -1));
    auto request = sandbox.createContainerRequest();
    request.setId(options_.id);
    request.setContainer(message_.getRoot<protocol::Container>().asReader());
    uint32_t limit_ms = context_.config.hypervisor.boot_timeout_ms + guest_call_limit_ms(context_.config);
    RUNVM_TRY(connection_->tell(request.send(), limit_ms, "createContainer"));
    RUNVM_ASSIGN(bool shim_ended, os::wait_for_end(shim_.pidfd.get(), 0));
    if (shim_ended)
        return Error(ErrorKind::unavailable, "process " + std::to_string(shim_.pid) +
                                                 " (runvm-shim) has ended while the container was created");
    return has_joined_ ? Result<void>() : limit_cpu_time(container_, plan_.host_limits);
}

Result<void> Creation::publish() {
    if (terminal_ && !foreground_terminal_) {
        RUNVM_TRY(send_master(*terminal_, options_.console_socket));
        terminal_.reset();
    }
    if (!options_.pidfd_socket.empty())
        RUNVM_TRY(send_pidfd(shim_.pidfd.get(), options_.pidfd_socket));
    container_.status = state::Status::created;
    RUNVM_TRY(context_.store->save(container_));
    fault_point("create.after-save");
    RUNVM_TRY(write_pid_file(options_.pid_file, shim_.pid));
    pid_file_written_ = true;

    auto request = connection_->sandbox().commitRequest();
    request.setId(options_.id);
    RUNVM_TRY(connection_->tell(request.send(), monitor_timeout_ms, "commit"));
    fault_point("create.after-commit");
    finished_ = true;
    connection_->interrupted_by(-1); // from here on signals are the container's
    lock_.reset();
    return {};
}

Result<void> Creation::start() {
    auto lock = context_.store->lock(options_.id);
    if (!lock)
        return std::move(lock).error();
    auto started = start_in_guest(context_, *connection_, options_.id, plan_.hooks);
    connection_.reset(); // one event loop a thread: `delete` may need one
    RUNVM_TRY(started);
    context_.trace("start: the process runs");
    container_.status = state::Status::running;
    RUNVM_TRY(context_.store->save(container_));
    return run_poststart(container_, plan_.hooks);
}

Result<void> Creation::clear_sandbox() {
    if (has_joined_) {
        sandbox_lock_.reset();
        return leave_sandbox(context_, container_);
    }
    if (cgroup_founded_)
        RUNVM_TRY(remove_cgroup(container_));
    return has_folder_ ? state::remove_sandbox_folder(container_.sandbox_folder) : Result<void>();
}

void Creation::undo() {
    connection_.reset();
    // Its monitor ends by itself now. A libvirtd keeps a machine whose monitor is killed while it starts it.
    if (config::has_libvirtd(context_.config) && reaper_.pidfd)
        (void)os::wait_for_end(reaper_.pidfd.get(),
                               context_.config.hypervisor.boot_timeout_ms + monitor_timeout_ms);
    os::end_child(reaper_);
    if (!has_joined_)
        release_links(context_, container_);
    os::end_child(shim_);
    os::end_child(init_.process);
    if (!reserved_)
        return;
    Result<void> cleared = clear_sandbox();
    if (pid_file_written_ && !options_.pid_file.empty())
        ::unlink(options_.pid_file.c_str());
    if (cleared) // what cannot be removed (a disk that went read-only) is found by `delete --force`
        (void)context_.store->remove(options_.id);
    if (init_.process.pid != 0)
        run_poststop(context_, container_, plan_.hooks);
}

// A monitor that ended can say why only in its log.
Error Creation::explain(Error error) const {
    if (error.kind() != ErrorKind::unavailable)
        return error;
    std::string log = monitor_log_tail(container_.sandbox_folder);
    if (log.empty())
        return error;
    return Error(error.kind(), error.to_string() + "\nthe monitor's last words:\n" + log,
                 error.errno_value());
}

} // namespace runvm::runtime
