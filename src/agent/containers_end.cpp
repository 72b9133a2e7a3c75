// How the processes of a container, and the container itself, come to their end.

#include "agent/console.h"
#include "agent/containers.h"
#include "agent/syscalls.h"
#include "os/file.h"
#include "os/process.h"

#include <sched.h>
#include <unistd.h>

#include <csignal>

namespace runvm::agent {

namespace {

constexpr auto removal_limit = 10 * kj::SECONDS;
constexpr auto empty_check_interval = 2 * kj::MILLISECONDS;

} // namespace

void Containers::child_ended(pid_t pid, int wait_status) {
    if (auto helper = helpers_.find(pid); helper != helpers_.end()) {
        helper->second->fulfill(true);
        helpers_.erase(helper);
        return;
    }
    auto found = running_.find(pid);
    if (found == running_.end())
        return; // an orphan
    ProcessPtr process = found->second;
    running_.erase(found);
    process->wait_status = wait_status;
    ContainerPtr container = process->container.lock();
    if (container == nullptr) {
        process->end(Exit::from_wait_status(wait_status));
    } else if (process == container->init) {
        // A container that is still being made is taken down by `create`.
        if (container->state != Container::State::creating)
            container->state = Container::State::stopped;
        tasks_.add(finish_init(container));
    } else {
        finish(*process, *container);
    }
}

/// The container's own process has been reaped. With a pid namespace of its own that was the last of its
/// processes, because the kernel kills the others and has them reaped first.
kj::Promise<void> Containers::finish_init(ContainerPtr container) {
    auto emptied = [this, container]() -> kj::Promise<bool> {
        if ((container->namespaces & CLONE_NEWPID) != 0)
            return true;
        if (Result<void> killed = container->cgroup->kill(); !killed)
            log_line(killed.error().to_string());
        return await_empty(container, timer_.now() + removal_limit);
    };
    return emptied().then([this, container](bool is_empty) {
        if (!is_empty)
            log_line("container " + container->id + ": processes are left after its end");
        finish(*container->init, *container);
    });
}

void Containers::finish(Process& process, const Container& container) {
    Exit exit = Exit::from_wait_status(*process.wait_status);
    exit.oom_killed = container.cgroup && container.cgroup->oom_killed();
    if (relay_ != nullptr && process.session == session_)
        for (channel::StreamId stream : process.output_streams)
            exit.streams.push_back({stream, relay_->bytes_promised(stream)});
    forget_ended_streams(process);
    process.end(std::move(exit));
}

/// Lets the relay forget each stream of an ended process when all of it has been carried; the number of its
/// bytes is known by now.
void Containers::forget_ended_streams(const Process& process) {
    if (relay_ == nullptr || process.session != session_)
        return;
    for (const auto* streams : {&process.output_streams, &process.input_streams}) {
        for (channel::StreamId stream : *streams) {
            auto forget = [this, stream, session = session_] {
                if (relay_ != nullptr && session == session_)
                    relay_->detach(stream);
            };
            // It fails if the session ends first, which takes the stream with it.
            tasks_.add(relay_->ended(stream).then(kj::mv(forget), [](kj::Exception&&) {}));
        }
    }
}

kj::Promise<void> Containers::discard(ProcessPtr process) {
    (void)send_signal(process->pidfd.get(), SIGKILL);
    auto ended = process->when_ended();
    return ended.then([this, process] {
        detach_inputs(*process);
        if (relay_ == nullptr || process->session != session_)
            return;
        for (channel::StreamId stream : process->output_streams)
            relay_->detach(stream);
    });
}

/// Nobody reads these any more. Output streams end by themselves, once all of it has been carried.
void Containers::detach_inputs(const Process& process) {
    if (relay_ == nullptr || process.session != session_)
        return;
    for (channel::StreamId stream : process.input_streams)
        relay_->detach(stream);
}

kj::Promise<Result<void>> Containers::destroy(ContainerPtr container) {
    KJ_IF_MAYBE (removal, container->removal) {
        return removal->addBranch();
    }
    auto removal =
        take_down(container)
            .then([this, container](Result<void>&& result) {
                if (result) {
                    auto found = containers_.find(container->id);
                    if (found != containers_.end() && found->second == container)
                        containers_.erase(found);
                } else {
                    log_line("delete container " + container->id + ": " + result.error().to_string());
                }
                return kj::mv(result);
            })
            .fork();
    auto answer = removal.addBranch();
    // Goes on when the caller has gone away; and after a failure it may be tried again.
    tasks_.add(removal.addBranch().then([container](Result<void>) { container->removal = nullptr; }));
    container->removal = kj::mv(removal);
    return answer;
}

kj::Promise<Result<void>> Containers::take_down(ContainerPtr container) {
    using Answer = Result<void>;
    if (!container->cgroup)
        return Answer();
    if (Result<void> killed = container->cgroup->kill(); !killed)
        return killed;
    kj::TimePoint deadline = timer_.now() + removal_limit;
    return await_empty(container, deadline)
        .then([this, container, deadline](bool is_empty) -> kj::Promise<bool> {
            if (!is_empty || container->init == nullptr)
                return is_empty;
            auto ended = container->init->when_ended().then([] { return true; });
            return timer_.atTime(deadline).then([] { return false; }).exclusiveJoin(kj::mv(ended));
        })
        .then([this, container, deadline](bool is_over) -> kj::Promise<Answer> {
            if (!is_over)
                return Answer(Error(ErrorKind::timeout,
                                    "processes of the container cannot be killed: they hang in the kernel"));
            return release_mounts(*container, deadline).then([this, container](bool released) -> Answer {
                if (!released)
                    return Error(ErrorKind::timeout,
                                 "the host does not answer the container's file requests");
                return remove_traces(*container);
            });
        });
}

/// In a process of its own, which a host that does not answer may keep; the last to hold the container's
/// mounts.
kj::Promise<bool> Containers::release_mounts(Container& container, kj::TimePoint deadline) {
    Result<os::Spawned> helper = os::clone_process(0);
    if (!helper) {
        log_line(helper.error().to_string());
        return false;
    }
    if (helper->pid == 0) {
        close_all_but({container.mount_namespace.get()});
        SharedFolder::release(container.id);
        ::_exit(0);
    }
    container.mount_namespace.reset();
    auto ended = kj::newPromiseAndFulfiller<bool>();
    helpers_[helper->pid] = kj::mv(ended.fulfiller);
    return timer_.atTime(deadline).then([] { return false; }).exclusiveJoin(kj::mv(ended.promise));
}

Result<void> Containers::remove_traces(Container& container) {
    RUNVM_TRY(container.cgroup->remove());
    container.cgroup.reset();
    RUNVM_TRY(os::remove_tree(Launcher::devices_of(container.id)));
    if (container.init != nullptr)
        detach_inputs(*container.init);
    for (const auto& [id, process] : container.execs)
        detach_inputs(*process);
    shared_folder_.drop_unused_entries();
    return {};
}

kj::Promise<bool> Containers::await_empty(ContainerPtr container, kj::TimePoint deadline) {
    if (!container->cgroup || !container->cgroup->populated())
        return true;
    if (timer_.now() >= deadline)
        return false;
    return timer_.afterDelay(empty_check_interval).then([this, container, deadline] {
        return await_empty(container, deadline);
    });
}

} // namespace runvm::agent
