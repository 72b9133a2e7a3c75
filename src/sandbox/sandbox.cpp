#include "sandbox/sandbox.h"

#include "core/time.h"
#include "sandbox/agent_call.h"
#include "sandbox/event_log.h"
#include "state/store.h"

#include <capnp/message.h>

#include <cstdio>

namespace runvm::sandbox {

namespace {

using State = protocol::SandboxState;

constexpr uint32_t power_off_timeout_ms = 5000;
// How long shims may take to leave a machine that is over.
constexpr uint32_t linger_ms = 10000;
// A libvirtd finishes the start of a machine before it ends it, and its first start looks at every emulator.
constexpr uint32_t destroy_timeout_ms = 60000;

} // namespace

Sandbox::Sandbox(kj::Timer& timer, Machine& machine, std::function<void(std::string)> on_over)
    : timer_(timer), machine_(machine), on_over_(std::move(on_over)),
      suspension_(machine, suspension_hooks()),
      network_(timer, machine, [this](const network::State& state) { return tell_of_network(state); }),
      name_queries_([this](std::string message, bool over_tcp) {
          return network_.ask_resolver(std::move(message), over_tcp);
      }),
      tasks_(*this) {
    machine_.on_death([this](const std::string& reason) { machine_over(reason); });
}

Sandbox::~Sandbox() = default;

void Sandbox::taskFailed(kj::Exception&& exception) {
    machine_over(channel::from_exception(exception, "internal error").to_string());
}

void Sandbox::set_state(State state) {
    state_ = state;
}

Result<void> Sandbox::boot(protocol::SandboxConfig::Reader config) {
    if (state_ != State::CREATED)
        return Error(ErrorKind::already_exists, "this monitor has a sandbox already");
    id_ = config.getSandboxId().cStr();
    RUNVM_TRY(state::check_id(id_));
    if (config.getAgentTimeoutMs() > 0)
        agent_timeout_ms_ = config.getAgentTimeoutMs();
    log_level_ = config.getLogLevel().cStr();
    RUNVM_TRY(sizing_.read(config));
    set_state(State::BOOTING);

    auto begin = timer_.now();
    auto booted = machine_.boot(config).then([this, begin](Result<std::unique_ptr<Guest>>&& guest) {
        boot_ms_ = static_cast<uint32_t>((timer_.now() - begin) / kj::MILLISECONDS);
        if (!guest) {
            if (!failure_)
                failure_ = guest.error();
            machine_over(guest.error().to_string());
            return;
        }
        if (state_ != State::BOOTING)
            return; // ended meanwhile
        guest_ = std::move(*guest);
        set_state(State::RUNNING);
        tasks_.add(guest_->relay->run().then(
            [this] { machine_over("the guest closed its stream port"); },
            [this](kj::Exception&& exception) {
                machine_over(channel::from_exception(exception, "stream port").to_string());
            }));
        follow_file_watches(true);
        carry_file_events();
        emit("", "", [](protocol::Event::Builder event) { event.setBooted(); });
    });
    booted_ = booted.fork();
    tasks_.add(booted_->addBranch());
    return {};
}

Promised<void> Sandbox::when_booted() {
    if (!booted_)
        return failed(Error(ErrorKind::wrong_state, "the sandbox has not been created"));
    return booted_->addBranch().then([this]() -> Result<void> {
        if (failure_)
            return *failure_;
        return {};
    });
}

Promised<void> Sandbox::release() {
    if (!guest_) {
        end("released before it had booted");
        return Result<void>();
    }
    // The guest may power off before its answer is through: both a failed call and the machine's end are
    // success.
    auto awake = suspension_.keep_awake();
    auto asked = guest_->agent.powerOffRequest().send().ignoreResult().catch_([](kj::Exception&&) {});
    auto off = kj::newPromiseAndFulfiller<void>();
    auto fulfiller = std::make_shared<kj::Own<kj::PromiseFulfiller<void>>>(kj::mv(off.fulfiller));
    uint64_t key = add_listener([fulfiller](protocol::Event::Builder event) {
        if (event.isVmExited())
            (*fulfiller)->fulfill();
    });
    auto over = asked.then([promise = kj::mv(off.promise)]() mutable { return kj::mv(promise); });
    return timer_.timeoutAfter(power_off_timeout_ms * kj::MILLISECONDS, kj::mv(over))
        .catch_([](kj::Exception&&) {})
        .then([this, key, awake = kj::mv(awake)]() -> Result<void> {
            remove_listener(key);
            end("released");
            return {};
        });
}

void Sandbox::end(const std::string& reason) {
    machine_over(reason);
    settle();
}

void Sandbox::creator_came() {
    creator_is_here_ = true;
}

void Sandbox::creator_left() {
    creator_is_here_ = false;
    if (committed_)
        settle();
    else
        end("its creator left before it had finished");
}

Result<void> Sandbox::join(const std::string& id) {
    RUNVM_TRY(state::check_id(id));
    if (over_ || failure_)
        return failure_ ? *failure_ : Error(ErrorKind::unavailable, "the sandbox's containers have ended");
    if (!committed_)
        return Error(ErrorKind::wrong_state, "the sandbox's first container is still being created");
    if (containers_.count(id) != 0 || !joining_.insert(id).second)
        return Error(ErrorKind::already_exists, "the sandbox has a container " + id + " already");
    return {};
}

// The other containers stay, whatever has become of this one.
void Sandbox::joiner_left(const std::string& id) {
    if (joining_.erase(id) == 0)
        return;
    if (auto made = containers_.find(id); made != containers_.end())
        discard(ProcessPtr(made->second.init)); // discard takes the record away
    settle();
}

Result<void> Sandbox::commit(const std::string& id) {
    RUNVM_TRY(find(id));
    if (joining_.erase(id) == 0)
        committed_ = true;
    return {};
}

uint64_t Sandbox::add_listener(Listener listener) {
    listeners_.emplace(next_listener_, std::move(listener));
    return next_listener_++;
}

void Sandbox::remove_listener(uint64_t key) {
    listeners_.erase(key);
}

void Sandbox::emit(const std::string& container, const std::string& exec,
                   const std::function<void(protocol::Event::Builder)>& fill) {
    capnp::MallocMessageBuilder message;
    auto event = message.initRoot<protocol::Event>();
    event.setTimeNs(now_ns());
    event.setContainerId(container);
    event.setExecId(exec);
    fill(event);
    if (auto line = event_line(event, log_level_))
        std::fputs(line->c_str(), stderr);
    auto listeners = listeners_; // one may remove itself
    for (auto& [key, listener] : listeners)
        listener(event);
}

void Sandbox::machine_over(const std::string& reason) {
    if (state_ == State::STOPPED)
        return;
    set_state(State::STOPPED);
    suspension_.end();
    network_.end();
    name_queries_.end();
    if (!failure_)
        failure_ = Error(ErrorKind::unavailable, "the sandbox is over: " + reason);
    // The promises that this may be called from belong to the guest: it goes in the next turn.
    tasks_.add(kj::evalLater([this, guest = std::move(guest_)]() mutable {
        guest.reset();
        settle();
    }));
    for (auto& [id, record] : containers_) {
        end_process(record.init, killed_with_machine());
        for (auto& [exec_id, process] : record.execs)
            end_process(process, killed_with_machine());
    }
    emit("", "", [&](protocol::Event::Builder event) { event.setVmExited(reason); });
    is_ending_ = true; // a machine of libvirtd's would outlive the monitor
    auto destroyed = machine_.destroy().ignoreResult();
    tasks_.add(timer_.timeoutAfter(destroy_timeout_ms * kj::MILLISECONDS, kj::mv(destroyed))
                   .catch_([](kj::Exception&&) {})
                   .then([this] {
                       is_ending_ = false;
                       settle();
                       return timer_.afterDelay(linger_ms * kj::MILLISECONDS);
                   })
                   .then([this, reason] { leave(reason); }));
}

// To be called when something has ended: the machine may be suspended, or the monitor may leave.
void Sandbox::settle() {
    suspension_.settle();
    leave_if_idle();
}

// The VM ends with its last container; the monitor leaves when the shims have their answers.
void Sandbox::leave_if_idle() {
    if (over_ || attached_ > 0 || open_streams_ > 0 || is_ending_)
        return;
    if (awaits_creator())
        return; // it has yet to hear how its create went
    if (state_ != State::STOPPED) {
        if (!committed_)
            return;
        for (const auto& [id, record] : containers_)
            if (!record.init->ended())
                return;
    }
    leave(failure_ ? failure_->to_string() : "the last container has ended");
}

void Sandbox::leave(const std::string& reason) {
    if (over_)
        return;
    over_ = true;
    network_.end();
    on_over_(reason);
}

} // namespace runvm::sandbox
