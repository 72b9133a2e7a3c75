#include "agent/child.h"

#include "agent/devices.h"
#include "agent/mounts.h"
#include "agent/process_setup.h"
#include "agent/protected_paths.h"
#include "agent/syscalls.h"
#include "agent/terminal.h"
#include "agent/user_namespace.h"
#include "hooks/run.h"
#include "os/file.h"
#include "os/mounts.h"

#include <fcntl.h>
#include <kj/exception.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>

namespace runvm::agent {

namespace {

/// An empty folder of the agent's tree that the container's root is mounted on until it is the root. The
/// mount is in the container's mount namespace only.
constexpr const char* root_mount_point = "/run/runvm/rootfs";

/// runc's init ends with this when its set-up fails; a shell's "cannot execute".
constexpr int failed_exit_code = 126;
constexpr int signal_exit_base = 128;

bool has_user_namespace(const ContainerChild& child) {
    return (child.namespaces & CLONE_NEWUSER) != 0;
}

Result<Rootfs> mount_root(const ContainerChild& child) {
    RUNVM_ASSIGN(os::Fd place, os::open_file(root_mount_point, O_PATH | O_DIRECTORY));
    RUNVM_TRY(attach_tree(child.trees.root.get(), place.get(), root_mount_point));
    RUNVM_ASSIGN(os::Fd root, os::open_file(root_mount_point, O_PATH | O_DIRECTORY));
    return Rootfs(std::move(root));
}

/// runc's prepareRootfs makes a missing working directory too; if it cannot, chdir says so later.
void make_working_folder(const Rootfs& rootfs, const std::string& cwd) {
    if (!cwd.empty() && cwd != "/")
        (void)rootfs.make_mount_point(cwd, Rootfs::Kind::folder);
}

Result<void> populate_devices(const ContainerChild& child, const Rootfs& rootfs) {
    auto container = child.container;
    if (!needs_devices(container.getMounts()))
        return {};
    Result<void> made = has_user_namespace(child)
                            ? bind_devices(rootfs, container.getDevices(), child.trees.devices)
                            : make_devices(rootfs, container.getDevices());
    return std::move(made).context("make devices");
}

Result<void> populate_root(ContainerChild& child, const Rootfs& rootfs) {
    auto container = child.container;
    Mounts mounts(rootfs);
    auto list = container.getMounts();
    for (unsigned i = 0; i < list.size(); ++i)
        RUNVM_TRY(mounts.add(list[i], std::move(child.trees.mounts.at(i))));
    RUNVM_TRY(populate_devices(child, rootfs));
    make_working_folder(rootfs, container.getProcess().getCwd().cStr());
    return mounts.finish();
}

Result<void> protect_paths(const ContainerChild& child, const Rootfs& rootfs) {
    auto container = child.container;
    // The others are the agent's business with a user namespace.
    for (auto setting : container.getSysctl())
        if (!has_user_namespace(child) || is_user_sysctl(setting.getKey().cStr()))
            RUNVM_TRY(set_sysctl(setting.getKey().cStr(), setting.getValue().cStr()));
    for (auto path : container.getReadonlyPaths())
        RUNVM_TRY(make_readonly(rootfs, path.cStr()).context("make a path read-only"));
    for (auto path : container.getMaskedPaths())
        RUNVM_TRY(mask(rootfs, path.cStr()).context("mask a path"));
    return {};
}

/// pivot_root(2), "pivot_root(".", ".")": the old root ends up on top of the new one and is taken off.
Result<void> enter_root(const Rootfs& rootfs) {
    if (::fchdir(rootfs.fd()) != 0)
        return system_error("enter the root filesystem");
    if (::syscall(SYS_pivot_root, ".", ".") != 0)
        return system_error("pivot_root");
    if (::umount2(".", MNT_DETACH) != 0)
        return system_error("unmount the old root");
    if (::chdir("/") != 0)
        return system_error("chdir /");
    return {};
}

Result<void> finish_root(protocol::Container::Reader container) {
    RUNVM_ASSIGN(os::Fd root, os::open_file("/", O_PATH | O_DIRECTORY));
    if (container.getRootfsPropagation() != 0)
        RUNVM_TRY(change_propagation(root.get(), container.getRootfsPropagation(), "/"));
    if (!container.getRootfsReadonly())
        return {};
    mount_attr read_only{};
    read_only.attr_set = MOUNT_ATTR_RDONLY;
    return change_mount(root.get(), read_only, false, "/");
}

Result<void> set_names(protocol::Container::Reader container) {
    auto hostname = container.getHostname();
    if (hostname.size() > 0 && ::sethostname(hostname.cStr(), hostname.size()) != 0)
        return system_error("set the hostname");
    auto domainname = container.getDomainname();
    if (domainname.size() > 0 && ::setdomainname(domainname.cStr(), domainname.size()) != 0)
        return system_error("set the domainname");
    return {};
}

/// Makes the terminal if the process has one, and passes its master to the agent.
Result<os::Fd> make_terminal(protocol::Process::Reader process, int root, SetupReporter& reporter) {
    if (!process.getTerminal())
        return os::Fd();
    RUNVM_ASSIGN(
        Terminal terminal,
        open_terminal(root, process.getConsoleHeight(), process.getConsoleWidth()).context("terminal"));
    RUNVM_TRY(reporter.send_terminal(terminal.master.get()));
    return std::move(terminal.slave);
}

void end_by(int signal) {
    ::_exit(signal_exit_base + signal);
}

/// The signals whose default is to end a process, as far as people send them.
constexpr std::array<int, 7> ending_signals = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM};

/// A pid namespace's first process ignores signals that it has no handler for, and a container that is
/// created but not started must end by `kill` with SIGTERM, as with runc, whose waiting process is a Go
/// program.
void obey_signals() {
    for (int signal : ending_signals)
        ::signal(signal, end_by);
}

void restore_signals() {
    for (int signal : ending_signals)
        ::signal(signal, SIG_DFL);
}

/// Sets the container up; `setup` is then ready to execute.
Result<void> prepare_container(ContainerChild& child, SetupReporter& reporter,
                               ProcessDescriptors& descriptors, ProcessSetup& setup) {
    auto container = child.container;
    ::umask(0);
    RUNVM_TRY(leave_agent());
    if (has_user_namespace(child)) {
        if (!reporter.wait_until_mapped())
            ::_exit(failed_exit_code);
        RUNVM_TRY(become_root());
    } else {
        RUNVM_TRY(grant_privileges(0, container.getProcess()));
    }
    RUNVM_TRY(join_session_keyring(container.getSessionKeyring().cStr()));
    // Not by clone3: that would make the namespace's root the cgroup of the agent.
    if ((child.namespaces & CLONE_NEWCGROUP) != 0 && ::unshare(CLONE_NEWCGROUP) != 0)
        return system_error("make a cgroup namespace");
    RUNVM_ASSIGN(Rootfs rootfs, mount_root(child).context("mount the root filesystem"));
    RUNVM_TRY(populate_root(child, rootfs));
    RUNVM_ASSIGN(os::Fd terminal, make_terminal(container.getProcess(), rootfs.fd(), reporter));
    if (terminal)
        RUNVM_TRY(bind_console(rootfs, terminal.get()));
    RUNVM_TRY(set_names(container));         // a sysctl may change the domain name again
    RUNVM_TRY(protect_paths(child, rootfs)); // the console too, as runc does
    RUNVM_TRY(enter_root(rootfs));
    RUNVM_TRY(finish_root(container));
    return setup.prepare(descriptors, terminal ? terminal.get() : -1);
}

// With all that the process itself is about to have, as in runc.
Result<void> run_start_hooks(protocol::Container::Reader container, const ProcessSetup& setup) {
    std::vector<hooks::Hook> list;
    for (auto hook : container.getStartHooks()) {
        hooks::Hook copy{hook.getPath().cStr(), {}, setup.environment(), hook.getTimeoutS()};
        for (auto arg : hook.getArgs())
            copy.args.emplace_back(arg.cStr());
        if (hook.getHasEnv()) {
            copy.env->clear();
            for (auto entry : hook.getEnv())
                copy.env->emplace_back(entry.cStr());
        }
        list.push_back(std::move(copy));
    }
    return hooks::run("startContainer", list, container.getHookState().cStr(), {});
}

Result<void> run_container(ContainerChild& child, SetupReporter& reporter, ProcessDescriptors& descriptors) {
    ProcessSetup setup(child.container.getProcess(), child.container.getPersonality());
    obey_signals();
    RUNVM_TRY(prepare_container(child, reporter, descriptors, setup));
    RUNVM_TRY(reporter.send_ready());
    if (!reporter.wait_for_start())
        ::_exit(failed_exit_code);
    restore_signals();
    RUNVM_TRY(setup.restrict());
    RUNVM_TRY(run_start_hooks(child.container, setup));
    setup.execute();
}

Result<void> run_exec(ExecChild& child, SetupReporter& reporter, ProcessDescriptors& descriptors) {
    ::umask(0);
    RUNVM_TRY(leave_agent());
    RUNVM_TRY(grant_privileges(0, child.process));
    RUNVM_TRY(join_namespaces(child.container_pidfd, child.namespaces, "the container"));
    if ((child.namespaces & CLONE_NEWUSER) != 0)
        RUNVM_TRY(become_root());
    RUNVM_TRY(join_session_keyring(child.session_keyring));
    ProcessSetup setup(child.process, child.personality);
    RUNVM_ASSIGN(os::Fd root, os::open_file("/", O_PATH | O_DIRECTORY));
    RUNVM_ASSIGN(os::Fd terminal, make_terminal(child.process, root.get(), reporter));
    RUNVM_TRY(setup.prepare(descriptors, terminal ? terminal.get() : -1));
    RUNVM_TRY(reporter.send_ready());
    RUNVM_TRY(setup.restrict());
    setup.execute();
}

/// Runs `body`, which returns only with an error, reports that and ends.
template <class Body>
[[noreturn]] void run(int reporter_fd, Body&& body) {
    SetupReporter reporter(reporter_fd);
    try {
        Result<void> result = body(reporter);
        if (!result)
            reporter.send_failed(result.error());
    } catch (const kj::Exception& exception) { // a message that is not what its schema says
        reporter.send_failed(Error(ErrorKind::internal, exception.getDescription().cStr()));
    } catch (const std::exception& exception) {
        reporter.send_failed(Error(ErrorKind::internal, exception.what()));
    }
    ::_exit(failed_exit_code);
}

} // namespace

void run_container_child(ContainerChild child) {
    Result<ProcessDescriptors> descriptors =
        ProcessDescriptors::isolate(std::move(child.ends), {&child.reporter}, child.trees.all());
    run(child.reporter, [&](SetupReporter& reporter) -> Result<void> {
        if (!descriptors)
            return descriptors.error();
        return run_container(child, reporter, *descriptors);
    });
}

void run_exec_child(ExecChild child) {
    Result<ProcessDescriptors> descriptors =
        ProcessDescriptors::isolate(std::move(child.ends), {&child.reporter, &child.container_pidfd});
    run(child.reporter, [&](SetupReporter& reporter) -> Result<void> {
        if (!descriptors)
            return descriptors.error();
        return run_exec(child, reporter, *descriptors);
    });
}

} // namespace runvm::agent
