// Pausing: of a container, by freezing its processes, and of the machine, while nothing in it may run.

#include "core/time.h"
#include "sandbox/sandbox.h"

#include <cstdio>

namespace runvm::sandbox {

namespace {

using State = protocol::SandboxState;

} // namespace

Promised<void> Sandbox::pause_container(const std::string& id) {
    auto init = find_live(id, "");
    if (!init)
        return failed(std::move(init).error());
    return freeze(containers_.at(id).init, true);
}

Promised<void> Sandbox::resume_container(const std::string& id) {
    auto init = find_live(id, "");
    if (!init)
        return failed(std::move(init).error());
    return freeze(containers_.at(id).init, false);
}

Promised<void> Sandbox::freeze(const ProcessPtr& init, bool frozen) {
    if (!init->created)
        return failed(Error(ErrorKind::wrong_state, "the container is being created"));
    auto request = guest_->agent.freezeRequest();
    request.setId(init->container_id);
    request.setFrozen(frozen);
    // Until it is known which containers are paused: else the machine might be suspended once more.
    auto awake = suspension_.keep_awake();
    return tell_guest(agent_timeout_ms_, "freeze", request)
        .then([this, init, frozen, awake = kj::mv(awake)](Result<void>&& answer) mutable -> Promised<void> {
            if (!answer)
                return kj::mv(answer);
            if (is_deleted(init) || init->ended())
                return failed(Error(ErrorKind::process_finished, "the process has ended"));
            ContainerRecord& record = containers_.at(init->container_id);
            bool changes = record.paused != frozen;
            record.paused = frozen;
            if (!frozen)
                wake_resume_waiters(init->container_id);
            if (changes)
                emit(init->container_id, "", [frozen](protocol::Event::Builder event) {
                    frozen ? event.setPaused() : event.setResumed();
                });
            awake = nullptr;
            suspension_.settle();
            return suspension_.settled().then([]() -> Result<void> { return {}; });
        });
}

void Sandbox::wake_resume_waiters(const std::string& id) {
    auto record = containers_.find(id);
    if (record == containers_.end())
        return;
    for (auto& waiter : std::exchange(record->second.resume_waiters, {}))
        waiter->fulfill();
}

// runc's process would be frozen on its way into the container. Here it is not made before the resume: the
// guest could not say of a frozen one how it came along.
Promised<void> Sandbox::exec_when_resumed(const ProcessPtr& child, kj::Own<Copied<protocol::Process>> process,
                                          const std::string& cgroup, std::vector<StreamEndpoint> streams) {
    auto resumed = kj::newPromiseAndFulfiller<void>();
    containers_.at(child->container_id).resume_waiters.push_back(kj::mv(resumed.fulfiller));
    child->awaits_resume = true;
    return resumed.promise.then([this, child, cgroup, process = kj::mv(process),
                                 streams = std::move(streams)]() mutable -> Promised<void> {
        child->awaits_resume = false;
        if (child->ended())
            return failed(Error(ErrorKind::unavailable, "it was ended while the container was paused"));
        auto live = find_live(child->container_id, "");
        if (!live) {
            discard_exec(child);
            return failed(std::move(live).error());
        }
        if (containers_.at(child->container_id).paused) // anew
            return exec_when_resumed(child, kj::mv(process), cgroup, std::move(streams));
        return exec_in_guest(child, exec_request(*child, process->get(), cgroup), std::move(streams));
    });
}

// By value: the caller's may be the record that goes.
void Sandbox::discard_waiting(ProcessPtr child) {
    discard_exec(child);
    wake_resume_waiters(child->container_id);
}

// A paused container's process can be killed: the machine runs until the guest has said that it is dead.
void Sandbox::await_death(const ProcessPtr& process) {
    if (!containers_.at(process->container_id).paused)
        return;
    tasks_.add(process->when_ended()
                   .exclusiveJoin(timer_.afterDelay(agent_timeout_ms_ * kj::MILLISECONDS))
                   .attach(suspension_.keep_awake()));
}

Promised<void> Sandbox::pause() {
    if (!guest_ || asked_to_pause_)
        return failed(Error(ErrorKind::wrong_state, "the sandbox is not running"));
    asked_to_pause_ = true;
    return settle_machine();
}

Promised<void> Sandbox::resume() {
    if (!guest_ || !asked_to_pause_)
        return failed(Error(ErrorKind::wrong_state, "the sandbox is not paused"));
    asked_to_pause_ = false;
    return settle_machine();
}

Promised<void> Sandbox::settle_machine() {
    suspension_.settle();
    return suspension_.settled().then([this]() -> Result<void> {
        if (failure_)
            return *failure_; // over meanwhile
        return {};
    });
}

bool Sandbox::may_suspend() const {
    if (!guest_ || open_streams_ > 0)
        return false;
    bool all_paused = false;
    for (const auto& [id, record] : containers_) {
        if (record.init->ended())
            continue;
        if (!record.paused)
            return asked_to_pause_;
        all_paused = true;
    }
    return asked_to_pause_ || all_paused;
}

Suspension::Hooks Sandbox::suspension_hooks() {
    auto set_clock = [this] {
        auto request = guest_->agent.setClockRequest();
        request.setHostTimeNs(now_ns());
        tasks_.add(tell(timer_, agent_timeout_ms_, "setClock", request.send()).ignoreResult());
    };
    return {
        [this] { return may_suspend(); }, set_clock,
        [this](bool suspended, Result<void> result) { suspension_changed(suspended, std::move(result)); }};
}

void Sandbox::suspension_changed(bool suspended, Result<void> result) {
    if (failure_)
        return;
    if (result) {
        set_state(suspended ? State::PAUSED : State::RUNNING);
        emit("", "", [suspended](protocol::Event::Builder event) {
            suspended ? event.setPaused() : event.setResumed();
        });
    } else if (suspended) {
        // It runs on, and its containers stay frozen.
        std::fprintf(stderr, "%s the machine could not be suspended: %s\n", format_time(now_ns()).c_str(),
                     result.error().to_string().c_str());
    } else {
        machine_over("it could not be resumed: " + result.error().to_string());
    }
}

} // namespace runvm::sandbox
