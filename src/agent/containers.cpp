#include "agent/containers.h"

#include "agent/console.h"
#include "agent/syscalls.h"
#include "agent/terminal.h"
#include "agent/user_namespace.h"
#include "os/file.h"

#include <fcntl.h>

#include <algorithm>
#include <csignal>

namespace runvm::agent {

namespace {

constexpr size_t max_id_bytes = 1024;
constexpr size_t max_containers = 256;
constexpr size_t max_execs = 4096; // of one container, those that ended included
/// Setting up means a few dozen system calls, some of which ask virtiofsd, which may hang.
constexpr auto setup_limit = 60 * kj::SECONDS;
/// A process that waits for virtiofsd, which may hang, does not stop.
constexpr auto freeze_limit = 5 * kj::SECONDS;
constexpr auto freeze_check_interval = 1 * kj::MILLISECONDS;

Error not_found(const std::string& id) {
    return {ErrorKind::not_found, "container `" + id + "` does not exist"};
}

Error broken_session() {
    return {ErrorKind::unavailable, "the session with the host has ended meanwhile"};
}

bool is_up(const Container& container) {
    return (container.state == Container::State::created || container.state == Container::State::starting ||
            container.state == Container::State::running) &&
           container.init != nullptr && !container.init->wait_status;
}

/// `promise` with a limit in time.
template <class T>
kj::Promise<Result<T>> limited(kj::Timer& timer, kj::Promise<Result<T>> promise,
                               kj::Duration limit = setup_limit) {
    return timer.timeoutAfter(limit, kj::mv(promise)).catch_([limit](kj::Exception&& exception) -> Result<T> {
        if (exception.getType() == kj::Exception::Type::OVERLOADED)
            return Error(ErrorKind::timeout, "the process was not ready within " +
                                                 std::to_string(limit / kj::MILLISECONDS) + " ms");
        return Error(ErrorKind::internal, exception.getDescription().cStr());
    });
}

} // namespace

bool valid_container_id(const std::string& id) {
    if (id.empty() || id.size() > max_id_bytes || id == "." || id == "..")
        return false;
    return std::all_of(id.begin(), id.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '.' || c == '+' || c == '-';
    });
}

Containers::Containers(kj::UnixEventPort& event_port, Launcher launcher)
    : event_port_(event_port), timer_(event_port.getTimer()), launcher_(std::move(launcher)),
      shared_folder_(timer_), tasks_(*this) {}

void Containers::begin_session(channel::StreamRelay& relay) {
    relay_ = &relay;
    ++session_;
}

void Containers::end_session() {
    relay_ = nullptr;
}

Result<ContainerPtr> Containers::find(const std::string& id) const {
    auto found = containers_.find(id);
    if (found == containers_.end())
        return not_found(id);
    return found->second;
}

Result<ContainerPtr> Containers::find_up(const std::string& id) const {
    RUNVM_ASSIGN(ContainerPtr container, find(id));
    if (container->state == Container::State::stopped)
        return Error(ErrorKind::process_finished, "the container's process has ended");
    if (!is_up(*container))
        return Error(ErrorKind::wrong_state, "container `" + id + "` is being made");
    return container;
}

Result<ProcessPtr> Containers::find_process(const std::string& id, const std::string& exec_id) const {
    RUNVM_ASSIGN(ContainerPtr container, find(id));
    if (exec_id.empty()) {
        if (container->init == nullptr)
            return Error(ErrorKind::wrong_state, "container `" + id + "` is being made");
        return container->init;
    }
    auto found = container->execs.find(exec_id);
    if (found == container->execs.end())
        return Error(ErrorKind::not_found,
                     "process `" + exec_id + "` of container `" + id + "` does not exist");
    return found->second;
}

kj::Promise<Result<pid_t>> Containers::create(const std::string& id,
                                              protocol::Container::Reader description) {
    using Answer = Result<pid_t>;
    if (!valid_container_id(id))
        return Answer(Error(ErrorKind::invalid_argument, "bad container id `" + id + "`"));
    if (auto found = containers_.find(id); found != containers_.end()) {
        // One that is going makes room: the monitor does not wait for the end of what it has discarded.
        KJ_IF_MAYBE (removal, found->second->removal) {
            return removal->addBranch().then(
                [this, id, description](Result<void>&& removed) -> kj::Promise<Answer> {
                    if (!removed)
                        return Answer(std::move(removed).error());
                    return create(id, description);
                });
        }
        return Answer(Error(ErrorKind::already_exists, "container `" + id + "` exists already"));
    }
    if (containers_.size() >= max_containers)
        return Answer(Error(ErrorKind::unavailable, "the sandbox has 256 containers already; delete some"));
    Result<uint64_t> namespaces = Launcher::namespaces_for(description);
    if (!namespaces)
        return Answer(std::move(namespaces).error());

    auto container = std::make_shared<Container>(id);
    container->namespaces = *namespaces;
    container->personality = description.getPersonality();
    container->session_keyring = description.getSessionKeyring().cStr();
    container->id_mappings = id_mappings_of(description);
    containers_[id] = container;
    return shared_folder_.mount()
        .then([this, container, description](Result<void> mounted) -> kj::Promise<Result<pid_t>> {
            if (!mounted)
                return Answer(std::move(mounted).error());
            if (container->removal != nullptr)
                return Answer(Error(ErrorKind::wrong_state, "the container was deleted meanwhile"));
            return limited(timer_, launch(container, description));
        })
        .catch_([](kj::Exception&& exception) -> Answer {
            return Error(ErrorKind::internal, exception.getDescription().cStr());
        })
        .then([this, container](Answer&& answer) -> kj::Promise<Answer> {
            if (answer) {
                container->state = Container::State::created;
                return kj::mv(answer);
            }
            return destroy(container).then(
                [answer = kj::mv(answer)](Result<void>) mutable { return kj::mv(answer); });
        });
}

kj::Promise<Result<pid_t>> Containers::launch(ContainerPtr container,
                                              protocol::Container::Reader description) {
    using Answer = Result<pid_t>;
    Result<Cgroup> cgroup = Cgroup::create(container->id);
    if (!cgroup)
        return Answer(std::move(cgroup).error());
    container->cgroup.emplace(std::move(*cgroup));
    if (description.getHasCgroupOwner())
        if (Result<void> given = container->cgroup->give_to(description.getCgroupOwner()); !given)
            return Answer(std::move(given).error());
    if (Result<void> held = SharedFolder::hold(container->id, description); !held)
        return Answer(std::move(held).error());
    Result<Launched> launched =
        launcher_.launch_container(container->id, description, container->namespaces, *container->cgroup);
    if (!launched)
        return Answer(std::move(launched).error());
    container->init = adopt(*launched, container, "");
    // One that has ended already has done next to nothing with its mounts.
    if (auto mounts = os::open_file("/proc/" + std::to_string(launched->pid) + "/ns/mnt", O_RDONLY))
        container->mount_namespace = std::move(*mounts);
    container->memory = std::move(launched->memory);
    container->channel = launched->channel;
    return await_ready(container->init, launched->channel)
        .then([this, container, description,
               stdio = kj::mv(launched->stdio)](Result<void> ready) mutable -> Answer {
            RUNVM_TRY(ready);
            RUNVM_TRY(container->cgroup->apply(description.getResources()));
            RUNVM_TRY(attach_streams(container->init, std::move(stdio)));
            return container->init->pid;
        });
}

kj::Promise<Result<void>> Containers::start(const std::string& id, uint32_t limit_ms) {
    using Answer = Result<void>;
    Result<ContainerPtr> found = find(id);
    if (!found)
        return Answer(std::move(found).error());
    ContainerPtr container = *found;
    if (container->state == Container::State::stopped)
        return Answer(Error(ErrorKind::process_finished, "the container's process has ended"));
    if (container->state != Container::State::created)
        return Answer(Error(ErrorKind::wrong_state, "container `" + id + "` is not waiting to be started"));
    container->state = Container::State::starting;
    if (Answer started = container->channel->start(); !started)
        return started;
    kj::Duration limit = limit_ms * kj::MILLISECONDS;
    return limited(timer_, await_execution(container->channel), limit).then([container](Answer&& answer) {
        if (answer && container->state == Container::State::starting)
            container->state = Container::State::running;
        // What was not started in time must not start later.
        if (!answer && answer.error().kind() == ErrorKind::timeout)
            (void)container->cgroup->kill();
        container->channel = nullptr;
        return kj::mv(answer);
    });
}

kj::Promise<Result<pid_t>> Containers::exec(const std::string& id, const std::string& exec_id,
                                            protocol::Process::Reader process, const std::string& cgroup) {
    using Answer = Result<pid_t>;
    auto launch_exec = [&]() -> Result<std::pair<ContainerPtr, Launched>> {
        RUNVM_ASSIGN(ContainerPtr container, find(id));
        if (exec_id.empty() || exec_id.size() > max_id_bytes)
            return Error(ErrorKind::invalid_argument, "bad exec id `" + exec_id + "`");
        if (container->execs.count(exec_id) != 0)
            return Error(ErrorKind::already_exists, "process `" + exec_id + "` exists already");
        if (container->execs.size() >= max_execs)
            return Error(ErrorKind::unavailable, "the container has 4096 process records; forget some");
        if (!is_up(*container))
            return Error(ErrorKind::wrong_state, "container `" + id + "` is not running");
        RUNVM_ASSIGN(os::Fd cgroup_fd, container->cgroup->open_below(cgroup));
        ContainerToJoin join{container->init->pidfd.get(),
                             container->init->pid,
                             container->namespaces,
                             container->personality,
                             container->session_keyring,
                             container->id_mappings,
                             cgroup.empty()};
        RUNVM_ASSIGN(Launched launched, launcher_.launch_exec(join, process, cgroup_fd.get()));
        return std::pair(container, std::move(launched));
    };
    Result<std::pair<ContainerPtr, Launched>> launched = launch_exec();
    if (!launched)
        return Answer(std::move(launched).error());
    return run_exec(launched->first, exec_id, std::move(launched->second));
}

kj::Promise<Result<pid_t>> Containers::run_exec(ContainerPtr container, const std::string& exec_id,
                                                Launched launched) {
    using Answer = Result<pid_t>;
    ProcessPtr process = adopt(launched, container, exec_id);
    container->execs[exec_id] = process;
    auto channel = launched.channel;
    auto executed = await_ready(process, channel)
                        .then([this, process, channel, stdio = kj::mv(launched.stdio)](
                                  Result<void> ready) mutable -> kj::Promise<Result<void>> {
                            if (!ready)
                                return kj::mv(ready);
                            if (Result<void> attached = attach_streams(process, std::move(stdio)); !attached)
                                return kj::mv(attached);
                            return await_execution(channel);
                        });
    return limited(timer_, kj::mv(executed))
        .then([this, container, process](Result<void>&& result) -> kj::Promise<Answer> {
            if (result)
                return Answer(process->pid);
            return discard(process).then([container, process, error = std::move(result).error()]() -> Answer {
                container->execs.erase(process->exec_id);
                return error;
            });
        });
}

ProcessPtr Containers::adopt(Launched& launched, const ContainerPtr& container, const std::string& exec_id) {
    auto process = std::make_shared<Process>(launched.pid, std::move(launched.pidfd), container, exec_id);
    process->session = session_;
    running_[process->pid] = process;
    return process;
}

kj::Promise<Result<void>> Containers::await_ready(ProcessPtr process, std::shared_ptr<SetupChannel> channel) {
    return channel->next().then(
        [this, process, channel](SetupMessage&& message) mutable -> kj::Promise<Result<void>> {
            switch (message.kind) {
            case SetupMessage::Kind::terminal:
                process->terminal = std::move(message.terminal);
                return await_ready(kj::mv(process), kj::mv(channel));
            case SetupMessage::Kind::ready:
                return Result<void>();
            case SetupMessage::Kind::failed:
                return Result<void>(*message.error);
            case SetupMessage::Kind::closed:
                break;
            }
            return Result<void>(Error(ErrorKind::process_finished, "the process ended while it was set up"));
        });
}

kj::Promise<Result<void>> Containers::await_execution(std::shared_ptr<SetupChannel> channel) {
    auto next = channel->next();
    return next
        .then([](SetupMessage&& message) -> Result<void> {
            if (message.error)
                return *message.error;
            return {};
        })
        .attach(kj::mv(channel));
}

Result<void> Containers::attach_streams(const ProcessPtr& process, Stdio stdio) {
    if (relay_ == nullptr || process->session != session_)
        return broken_session();
    if (stdio.terminal_stream) {
        if (!process->terminal)
            return Error(ErrorKind::internal, "the process sent no terminal");
        RUNVM_ASSIGN(RelayEnd end, terminal_relay_end(*stdio.terminal_stream, process->terminal.get()));
        stdio.relay_ends.push_back(std::move(end));
    }
    for (RelayEnd& end : stdio.relay_ends) {
        (end.source ? process->output_streams : process->input_streams).push_back(end.stream);
        relay_->attach(end.stream, std::move(end.source), std::move(end.sink));
    }
    if (stdio.terminal_stream) {
        // A caller that hung up: the process's terminal hangs up when our last descriptor of its master is
        // closed.
        tasks_.add(relay_->ended(*stdio.terminal_stream)
                       .then([process] { process->terminal.reset(); }, [](kj::Exception&&) {}));
    }
    return {};
}

kj::Promise<Result<Exit>> Containers::wait(const std::string& id, const std::string& exec_id) {
    Result<ProcessPtr> found = find_process(id, exec_id);
    if (!found)
        return Result<Exit>(std::move(found).error());
    ProcessPtr process = *found;
    return process->when_ended().then([process]() -> Result<Exit> { return *process->exit(); });
}

Result<void> Containers::signal(const std::string& id, const std::string& exec_id, int signal, bool all) {
    if (signal < 0 || signal > SIGRTMAX)
        return Error(ErrorKind::invalid_argument, "there is no signal " + std::to_string(signal));
    RUNVM_ASSIGN(ProcessPtr process, find_process(id, exec_id));
    if (process->wait_status && !all)
        return Error(ErrorKind::process_finished, "the process has finished", ESRCH);
    if (!all)
        return send_signal(process->pidfd.get(), signal);

    RUNVM_ASSIGN(ContainerPtr container, find(id));
    if (!container->cgroup || !container->cgroup->populated())
        return Error(ErrorKind::process_finished, "the container has no process left", ESRCH);
    if (signal == SIGKILL)
        return container->cgroup->kill();
    RUNVM_ASSIGN(std::vector<pid_t> pids, container->cgroup->processes());
    for (pid_t pid : pids)
        if (::kill(pid, signal) != 0 && errno != ESRCH)
            return system_error("send signal " + std::to_string(signal));
    return {};
}

Result<void> Containers::resize(const std::string& id, const std::string& exec_id, uint16_t height,
                                uint16_t width) {
    RUNVM_ASSIGN(ProcessPtr process, find_process(id, exec_id));
    if (process->wait_status)
        return Error(ErrorKind::process_finished, "the process has finished", ESRCH);
    if (!process->terminal)
        return Error(ErrorKind::invalid_argument, "the process has no terminal");
    return resize_terminal(process->terminal.get(), height, width);
}

Result<void> Containers::update(const std::string& id, protocol::Resources::Reader resources) {
    RUNVM_ASSIGN(ContainerPtr container, find_up(id));
    return container->cgroup->update(resources);
}

kj::Promise<Result<void>> Containers::freeze(const std::string& id, bool frozen) {
    using Answer = Result<void>;
    Result<ContainerPtr> found = find_up(id);
    if (!found)
        return Answer(std::move(found).error());
    ContainerPtr container = *found;
    Answer asked = container->cgroup->set_frozen(frozen);
    if (!asked || !frozen)
        return kj::mv(asked);
    return await_frozen(container, timer_.now() + freeze_limit);
}

kj::Promise<Result<void>> Containers::await_frozen(ContainerPtr container, kj::TimePoint deadline) {
    if (container->cgroup->is_frozen())
        return Result<void>();
    if (timer_.now() > deadline) {
        (void)container->cgroup->set_frozen(false);
        return Result<void>(
            Error(ErrorKind::timeout, "not all of the container's processes stopped within 5 s"));
    }
    return timer_.afterDelay(freeze_check_interval).then([this, container, deadline] {
        return await_frozen(container, deadline);
    });
}

Result<void> Containers::forget(const std::string& id, const std::string& exec_id) {
    if (exec_id.empty())
        return Error(ErrorKind::invalid_argument,
                     "a container's own process is forgotten with the container");
    RUNVM_ASSIGN(ProcessPtr process, find_process(id, exec_id));
    if (!process->exit())
        return Error(ErrorKind::wrong_state, "process `" + exec_id + "` has not ended");
    detach_inputs(*process);
    containers_[id]->execs.erase(exec_id);
    return {};
}

kj::Promise<Result<void>> Containers::remove(const std::string& id) {
    auto found = containers_.find(id);
    if (found == containers_.end())
        return Result<void>();
    return destroy(found->second);
}

void Containers::taskFailed(kj::Exception&& exception) {
    log_line(std::string("a task failed: ") + exception.getDescription().cStr());
}

} // namespace runvm::agent
