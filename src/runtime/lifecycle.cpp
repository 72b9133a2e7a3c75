// start, kill and delete: commands on a container that is there.

#include "core/signals.h"
#include "os/process.h"
#include "runtime/commands.h"
#include "runtime/fault_point.h"
#include "runtime/host_cgroup.h"
#include "runtime/late_hooks.h"
#include "runtime/monitor_connection.h"
#include "runtime/monitor_process.h"
#include "runtime/shared_sandbox.h"
#include "runtime/termination.h"

#include <csignal>
#include <set>

namespace runvm::runtime {

namespace {

// The monitor gives a guest 10 s to answer a signal.
constexpr uint32_t signal_timeout_ms = 15000;
// How long `delete --force` leaves another command alone, and how long that has to undo what it did once its
// machine is gone.
constexpr int polite_lock_timeout_ms = 200;
constexpr int undo_timeout_ms = 10000;
// How long a shim may take to leave when its process has ended already.
constexpr int leave_timeout_ms = 1000;

Error has_stopped() {
    return {ErrorKind::wrong_state, "cannot start a container that has stopped"};
}

// A create that is under way, or was killed early, has written down its id only; and of a container whose
// state is damaged the id is all that is known.
void find_sandbox(const Context& context, state::Container& container) {
    if (container.sandbox_folder.empty())
        container.sandbox_folder = state::sandbox_folder(context.root, container.id);
    if (container.reaper.pid == 0)
        container.reaper = reaper_of(container.sandbox_folder);
}

// A process that has ended in the guest goes on here as long as somebody has to read what it wrote
// (shim/run.cpp): a signal that would have ended it is its shim's then. False if that has left.
Result<bool> signal_shim(const state::ProcessRef& shim, int signal) {
    os::Fd pidfd = open_process(shim);
    if (!pidfd || !ends_by_default(signal))
        return static_cast<bool>(pidfd);
    // First one that leaves it time to end with the process's status.
    (void)os::send_signal(pidfd.get(), signal == SIGKILL ? SIGTERM : signal); // gone: as wanted
    if (signal == SIGKILL) {
        RUNVM_ASSIGN(bool ended, os::wait_for_end(pidfd.get(), leave_timeout_ms));
        if (!ended)
            RUNVM_TRY(end_process(shim));
    }
    return true;
}

// Everything of a container that is not to be any more. May be called again and again.
Result<void> clear(Context& context, state::Container container) {
    find_sandbox(context, container);
    RUNVM_TRY(leave_sandbox(context, container));
    fault_point("delete.after-cgroup");
    RUNVM_TRY(context.store->remove(container.id));
    // A config.json that cannot be read any more has none.
    if (auto hooks = oci::hooks_of(container.config))
        run_poststop(context, container, *hooks);
    return {};
}

// What another command waits for will not come any more.
Result<void> end_for_commands(const Context& context, const state::Container& container) {
    RUNVM_ASSIGN(auto others, others_in_sandbox(context, container.sandbox_folder, container.id));
    return others.empty() ? end_process(container.reaper) : end_in_guest(context, container);
}

// The lock of a container that shall go, whatever another command is doing with it: that one fails as soon as
// its machine is gone (the container, if others have the machine, too), and if it hangs all the same, it is
// killed.
Result<state::Lock> lock_by_force(Context& context, const std::string& id) {
    auto lock = context.store->lock(id, polite_lock_timeout_ms);
    if (lock || lock.error().kind() != ErrorKind::timeout)
        return lock;
    context.trace("delete: another command is at work on the container: it is ended");
    state::Container container;
    if (auto loaded = context.store->load(id))
        container = *std::move(loaded);
    container.id = id;
    find_sandbox(context, container);
    RUNVM_TRY(end_for_commands(context, container));
    lock = context.store->lock(id, undo_timeout_ms);
    if (lock || lock.error().kind() != ErrorKind::timeout)
        return lock;
    if (container.status == state::Status::creating)
        RUNVM_TRY(end_process(container.creator));
    return context.store->lock(id);
}

// `delete --force` of what is no container, or one whose state cannot be read: all that is known is its id.
// It may have joined any of the machines.
Result<void> clear_nameless(Context& context, const std::string& id, const Error& found) {
    state::Container container;
    container.id = id;
    if (found.kind() != ErrorKind::not_found) {
        RUNVM_ASSIGN(std::vector<state::Store::Loaded> all, context.store->load_all());
        std::set<std::string> asked;
        for (const state::Store::Loaded& loaded : all) {
            if (!loaded.container || !asked.insert(loaded.container->sandbox_folder).second)
                continue;
            container.sandbox_folder = loaded.container->sandbox_folder;
            find_noted_cgroup(container);
            (void)end_in_guest(context, container); // another one's machine may be in any state
        }
        container.sandbox_folder.clear();
        end_shims_in_cgroup(container);
    }
    find_sandbox(context, container);
    find_noted_cgroup(container);
    return clear(context, std::move(container));
}

} // namespace

Result<void> start(Context& context, const std::string& id) {
    RUNVM_ASSIGN(state::Lock lock, context.store->lock(id));
    RUNVM_ASSIGN(state::Container container, load(context, id));
    switch (state::effective_status(container)) {
    case state::Status::created:
        break;
    case state::Status::stopped:
        return has_stopped();
    case state::Status::running:
        return Error(ErrorKind::wrong_state, "cannot start an already running container");
    default:
        return Error(ErrorKind::wrong_state, std::string("cannot start a container in the ") +
                                                 state::to_string(container.status) + " state");
    }
    fault_point("start.before");
    RUNVM_ASSIGN(auto connection, MonitorConnection::open(container.sandbox_folder));
    RUNVM_ASSIGN(oci::Hooks hooks, oci::hooks_of(container.config));
    auto started = start_in_guest(context, *connection, id, hooks);
    context.trace("start: the guest has answered");
    fault_point("start.after-rpc");
    if (started) {
        container.status = state::Status::running;
        RUNVM_TRY(context.store->save(container));
        auto ran = run_poststart(container, hooks);
        connection.reset(); // one event loop a thread
        if (!ran)
            (void)kill(context, id, SIGKILL, false); // ended by itself: as wanted
        return ran;
    }
    switch (started.error().kind()) {
    case ErrorKind::wrong_state: // of a start that was killed before it could write this down
        container.status = state::Status::running;
        RUNVM_TRY(context.store->save(container));
        return Error(ErrorKind::wrong_state, "cannot start an already running container");
    case ErrorKind::process_finished:
        return has_stopped();
    case ErrorKind::unavailable:
        if (state::effective_status(container) == state::Status::stopped)
            return has_stopped();
        return started;
    default:
        return started;
    }
}

Result<void> kill(Context& context, const std::string& id, int signal, bool all) {
    RUNVM_ASSIGN(state::Container container, context.store->load(id));
    if (state::effective_status(container) == state::Status::stopped) {
        if (all)
            return {}; // containerd kills --all after init has ended
        return not_running();
    }
    find_sandbox(context, container);
    auto connection = MonitorConnection::open(container.sandbox_folder);
    Result<void> sent = connection ? Result<void>() : Result<void>(connection.error());
    if (connection) {
        auto request = (*connection)->sandbox().signalProcessRequest();
        request.setId(id);
        request.setSignal(signal);
        request.setAll(all);
        sent = (*connection)->tell(request.send(), signal_timeout_ms, "signal");
    }
    if (sent)
        return {};
    if (sent.error().kind() == ErrorKind::process_finished) {
        RUNVM_ASSIGN(bool signaled, signal_shim(container.shim, signal));
        if (all || signaled)
            return {};
        return not_running();
    }
    bool out_of_reach =
        sent.error().kind() == ErrorKind::unavailable || sent.error().kind() == ErrorKind::timeout;
    // A monitor or guest that hangs must not make a container immortal.
    if (signal == SIGKILL && out_of_reach) {
        RUNVM_TRY(end_sandbox(container));
        return end_process(container.shim);
    }
    if (out_of_reach && state::effective_status(container) == state::Status::stopped)
        return not_running();
    return sent;
}

Result<void> remove(Context& context, const std::string& id, bool force) {
    RUNVM_TRY(state::check_id(id));
    auto lock = force ? lock_by_force(context, id) : context.store->lock(id);
    if (!lock) {
        // Nothing, or something that is no container's folder, is there.
        bool clearable =
            lock.error().kind() == ErrorKind::not_found || lock.error().kind() == ErrorKind::corrupted;
        if (!force || !clearable)
            return std::move(lock).error();
        return clear_nameless(context, id, lock.error());
    }
    fault_point("delete.before");
    auto container = context.store->load(id);
    if (!container) {
        if (!force)
            return std::move(container).error();
        return clear_nameless(context, id, container.error());
    }
    state::Status status = state::effective_status(*container);
    bool deletable = status == state::Status::stopped || status == state::Status::created;
    if (!force && !deletable)
        return Error(ErrorKind::wrong_state,
                     "cannot delete container " + id + " that is not stopped: " + state::to_string(status));
    return clear(context, std::move(*container));
}

} // namespace runvm::runtime
