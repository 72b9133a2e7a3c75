#include "agent/launcher.h"

#include "agent/child.h"
#include "agent/shared_folder.h"
#include "agent/syscalls.h"
#include "agent/time_namespace.h"
#include "agent/user_namespace.h"
#include "os/file.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>

#include <cstdlib>

namespace runvm::agent {

namespace {

constexpr uint64_t always_made = CLONE_NEWNS;
constexpr uint64_t supported = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP |
                               CLONE_NEWTIME | CLONE_NEWUSER;

/// On the root tmpfs: /run and /tmp are mounted nodev.
constexpr const char* device_folders = "/devices/";

/// A process whose cgroup has controllers enabled for its children cannot be joined by others ("no internal
/// processes"): then the cgroup that the container's own process has moved to is taken, as runc does.
Result<os::Fd> cgroup_of(pid_t pid) {
    RUNVM_ASSIGN(std::string text, os::read_file("/proc/" + std::to_string(pid) + "/cgroup"));
    size_t begin = text.find("0::/");
    if (begin == std::string::npos)
        return Error(ErrorKind::system, "the container's process has no cgroup");
    size_t path = begin + 3;
    return os::open_file("/sys/fs/cgroup" + text.substr(path, text.find('\n', path) - path),
                         O_RDONLY | O_DIRECTORY);
}

/// A clone into these namespaces. A cgroup namespace is the child's own business (child.cpp); for a time
/// namespace the agent sees to where its next child is born, and goes back.
Result<os::Spawned> clone_into_new(protocol::Container::Reader container, uint64_t namespaces, int cgroup) {
    uint64_t made_by_clone = namespaces & ~uint64_t{CLONE_NEWCGROUP | CLONE_NEWTIME};
    if ((namespaces & CLONE_NEWTIME) == 0)
        return os::clone_process(made_by_clone, cgroup);
    RUNVM_ASSIGN(os::Fd own_time, os::open_file("/proc/self/ns/time", O_RDONLY));
    Result<void> made =
        make_time_namespace_for_children(container.getMonotonicOffsetNs(), container.getBoottimeOffsetNs());
    Result<os::Spawned> clone =
        made ? os::clone_process(made_by_clone, cgroup) : Result<os::Spawned>(made.error());
    bool is_child = clone && clone->pid == 0;
    if (!is_child && !join_namespaces(own_time.get(), CLONE_NEWTIME, "the agent's clocks"))
        std::abort(); // every later child would have the container's clocks
    return clone;
}

Result<Stdio> make_process_stdio(protocol::Process::Reader process, const os::IdMappings& id_mappings) {
    RUNVM_ASSIGN(Stdio stdio, make_stdio(process));
    if (!id_mappings.empty())
        RUNVM_TRY(give_ends(stdio.process_ends, os::to_host_id(id_mappings.uids, 0).value_or(0),
                            os::to_host_id(id_mappings.gids, 0).value_or(0)));
    return stdio;
}

} // namespace

Result<Launcher> Launcher::create(kj::UnixEventPort& event_port) {
    RUNVM_ASSIGN(os::Fd own_pid_namespace, os::open_file("/proc/self/ns/pid", O_RDONLY));
    return Launcher(event_port, std::move(own_pid_namespace));
}

std::string Launcher::devices_of(const std::string& id) {
    return device_folders + id;
}

Result<uint64_t> Launcher::namespaces_for(protocol::Container::Reader container) {
    uint64_t asked = container.getNewNamespaces();
    os::IdMappings mappings = id_mappings_of(container);
    bool mapped = os::to_host_id(mappings.uids, 0) && os::to_host_id(mappings.gids, 0);
    if ((asked & CLONE_NEWUSER) != 0 ? !mapped : !mappings.empty())
        return Error(ErrorKind::invalid_argument,
                     "linux.namespaces: a user namespace needs mappings of uid 0 and gid 0, and the reverse");
    asked &= ~uint64_t{CLONE_NEWNET}; // always the guest's
    if ((asked & ~supported) != 0)
        return Error(ErrorKind::unsupported, "linux.namespaces: unknown namespace");
    return asked | always_made;
}

Result<Launched> Launcher::launch_container(const std::string& id, protocol::Container::Reader container,
                                            uint64_t namespaces, const Cgroup& cgroup) {
    Launched launched;
    os::IdMappings id_mappings = id_mappings_of(container);
    RUNVM_ASSIGN(launched.stdio, make_process_stdio(container.getProcess(), id_mappings));
    MountSources sources{memory_, SharedFolder::of_container(id), cgroup.path(), devices_of(id), namespaces};
    RUNVM_ASSIGN(MountTrees trees, make_mount_trees(container, sources, id_mappings));
    RUNVM_ASSIGN(auto sockets, make_setup_sockets());
    RUNVM_ASSIGN(os::Spawned clone, clone_into_new(container, namespaces, cgroup.fd()));
    if (clone.pid == 0) {
        ContainerChild child;
        child.container = container;
        child.trees = std::move(trees);
        child.namespaces = namespaces;
        child.ends = std::move(launched.stdio.process_ends);
        child.reporter = sockets.second.release();
        run_container_child(std::move(child));
    }
    launched.pid = clone.pid;
    launched.pidfd = std::move(clone.pidfd);
    launched.stdio.process_ends.clear();
    launched.memory = std::move(trees.memory);
    launched.channel = std::make_shared<SetupChannel>(event_port_, std::move(sockets.first));
    if (id_mappings.empty())
        return launched;
    Result<void> mapped = set_up_user_namespace(launched.pid, launched.pidfd.get(), container, id_mappings);
    if (mapped)
        mapped = launched.channel->tell_mapped();
    if (!mapped) // it ends when it finds the channel closed
        return std::move(mapped).error();
    return launched;
}

/// The agent enters the container's pid namespace for its next child, which costs one fork less than a child
/// that joins it and forks again, and goes back.
Result<os::Spawned> Launcher::clone_into(const ContainerToJoin& container, int cgroup) {
    bool has_pid_namespace = (container.namespaces & CLONE_NEWPID) != 0;
    if (has_pid_namespace)
        RUNVM_TRY(join_namespaces(container.init_pidfd, CLONE_NEWPID, "the container's processes"));
    Result<os::Spawned> clone = os::clone_process(0, cgroup);
    if (!clone && clone.error().errno_value() == EBUSY && container.may_follow_init) {
        if (Result<os::Fd> other = cgroup_of(container.init_pid))
            clone = os::clone_process(0, other->get());
    }
    bool is_child = clone && clone->pid == 0;
    // Every later child would be born in the wrong place: there is no way on.
    if (has_pid_namespace && !is_child &&
        !join_namespaces(own_pid_namespace_.get(), CLONE_NEWPID, "the agent's processes"))
        std::abort();
    return clone;
}

Result<Launched> Launcher::launch_exec(const ContainerToJoin& container, protocol::Process::Reader process,
                                       int cgroup) {
    Launched launched;
    RUNVM_ASSIGN(launched.stdio, make_process_stdio(process, container.id_mappings));
    RUNVM_ASSIGN(auto sockets, make_setup_sockets());
    RUNVM_ASSIGN(os::Spawned clone, clone_into(container, cgroup));
    if (clone.pid == 0) {
        ExecChild child;
        child.process = process;
        child.personality = container.personality;
        child.session_keyring = container.session_keyring;
        child.container_pidfd = container.init_pidfd;
        child.namespaces = static_cast<int>(container.namespaces & ~uint64_t{CLONE_NEWPID});
        child.ends = std::move(launched.stdio.process_ends);
        child.reporter = sockets.second.release();
        run_exec_child(std::move(child));
    }
    launched.pid = clone.pid;
    launched.pidfd = std::move(clone.pidfd);
    launched.stdio.process_ends.clear();
    launched.channel = std::make_shared<SetupChannel>(event_port_, std::move(sockets.first));
    return launched;
}

} // namespace runvm::agent
