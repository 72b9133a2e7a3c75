// The containers and processes of a sandbox: what sandbox.cpp does not do.

#include "sandbox/sandbox.h"

#include "core/signals.h"
#include "sandbox/agent_call.h"
#include "state/store.h"

#include <fcntl.h>

#include <algorithm>
#include <csignal>
#include <limits>

namespace runvm::sandbox {

namespace {

// A signal must not keep a caller for as long as other calls may take.
constexpr uint32_t signal_timeout_ms = 10000;
// How long a process may be without its first shim, which started before it did.
constexpr uint32_t shim_timeout_ms = 10000;
// As long as a number of milliseconds leaves room for the agent's own limit.
constexpr uint32_t longest_hooks_ms = std::numeric_limits<uint32_t>::max() / 2;
// How long the rest of an ended process's output may take to its shim.
constexpr uint32_t stream_linger_ms = 10000;

} // namespace

Result<ContainerRecord*> Sandbox::find(const std::string& id) {
    auto found = containers_.find(id);
    if (found == containers_.end())
        return Error(ErrorKind::not_found, "the sandbox has no container " + id);
    return &found->second;
}

Result<Process*> Sandbox::find_live(const std::string& id, const std::string& exec_id) {
    RUNVM_ASSIGN(ContainerRecord * record, find(id));
    Process* process = record->init.get();
    if (!exec_id.empty()) {
        auto found = record->execs.find(exec_id);
        if (found == record->execs.end())
            return Error(ErrorKind::not_found, "container " + id + " has no process " + exec_id);
        process = found->second.get();
    }
    if (process->ended())
        return Error(ErrorKind::process_finished, "the process has ended");
    if (!guest_)
        return failure_ ? *failure_ : Error(ErrorKind::unavailable, "the guest has not booted");
    return process;
}

// Ties the process's streams to numbers of their own and tells the agent, in `out`, which is which.
Result<void> Sandbox::carry(Process& process, std::vector<StreamEndpoint> streams,
                            protocol::Process::Builder out) {
    using Direction = protocol::StreamBinding::Direction;
    auto bindings = out.initStreams(streams.size());
    for (unsigned i = 0; i < streams.size(); ++i) {
        StreamEndpoint& stream = streams[i];
        channel::StreamId number = next_stream_++;
        bindings[i].setFd(stream.fd);
        bindings[i].setDirection(stream.direction);
        bindings[i].setStream(number);
        // Two duplicates carry the halves of a two-way stream; a one-way stream has one.
        os::Fd source;
        os::Fd sink;
        if (stream.direction == Direction::BOTH) {
            source = os::duplicate(stream.end.get());
            if (!source)
                return system_error("duplicate descriptor " + std::to_string(stream.fd) + " of the process");
            sink = std::move(stream.end);
        } else if (stream.direction == Direction::TO_PROCESS) {
            source = std::move(stream.end);
        } else {
            sink = std::move(stream.end);
        }
        try {
            guest_->relay->attach(number, std::move(source), std::move(sink));
        } catch (const kj::Exception&) {
            return Error(ErrorKind::invalid_argument, "descriptor " + std::to_string(stream.fd) +
                                                          " of the process is no pipe, socket or terminal");
        }
        process.streams.emplace(number, stream.fd);
    }
    return {};
}

void Sandbox::drop_streams(Process& process) {
    if (guest_)
        for (const auto& [number, fd] : process.streams)
            guest_->relay->detach(number);
    process.streams.clear();
}

// Waits for the end of a process in the guest, and sees to it that somebody on the host stands for it.
void Sandbox::watch(const ProcessPtr& process) {
    uint32_t limit_ms = std::min(agent_timeout_ms_, shim_timeout_ms);
    tasks_.add(
        timer_.afterDelay(limit_ms * kj::MILLISECONDS).then([this, process] { kill_if_orphaned(process); }));
    auto request = guest_->agent.waitRequest();
    request.setId(process->container_id);
    request.setExecId(process->exec_id);
    tasks_.add(request.send()
                   .then([this, process](capnp::Response<protocol::Agent::WaitResults>&& answer) {
                       if (auto error = channel::to_result(answer.getError()); !error)
                           machine_over("the guest cannot say how a process ended: " +
                                        error.error().to_string());
                       else
                           end_process(process, checked_exit(answer.getStatus(), process->streams));
                   })
                   // Behind the reading, which throws when the answer is malformed.
                   .catch_([this](kj::Exception&& exception) {
                       machine_over(channel::from_exception(exception, "the agent's session").to_string());
                   }));
}

void Sandbox::end_process(const ProcessPtr& process, Exit exit) {
    if (process->ended())
        return;
    process->end(std::move(exit));
    if (process->exec_id.empty()) {
        wake_resume_waiters(process->container_id);
        // What watch_memory would hear of may come too late.
        auto record = containers_.find(process->container_id);
        if (process->exit().oom_killed && record != containers_.end() && !record->second.told_of_oom)
            tell_of_oom(process->container_id);
    }
    emit(process->container_id, process->exec_id,
         [&](protocol::Event::Builder event) { write_exit(process->exit(), event.initProcessExited()); });
    for (const auto& [number, fd] : process->streams)
        if (guest_)
            await_end_of_stream(number);
    if (guest_ && !process->exec_id.empty()) {
        auto request = guest_->agent.forgetProcessRequest();
        request.setId(process->container_id);
        request.setExecId(process->exec_id);
        tasks_.add(tell_guest(agent_timeout_ms_, "forgetProcess", request).ignoreResult());
    }
    settle();
}

// What an ended process wrote may still be on its way to the shim's pipes: the machine stays until then. Not
// for ever, though, as it is the guest that says when a stream is over; a shim that still reads keeps the
// machine too.
void Sandbox::await_end_of_stream(channel::StreamId number) {
    auto over = guest_->relay->ended(number)
                    .then([this, number] {
                        if (guest_)
                            guest_->relay->detach(number);
                    })
                    .catch_([](kj::Exception&&) {}) // the relay went with its guest
                    .fork();
    ++open_streams_;
    tasks_.add(
        over.addBranch().exclusiveJoin(timer_.afterDelay(stream_linger_ms * kj::MILLISECONDS)).then([this] {
            --open_streams_;
            settle();
        }));
    tasks_.add(over.addBranch());
}

Promised<void> Sandbox::start_container(const std::string& id, uint32_t hooks_ms) {
    auto process = find_live(id, "");
    if (!process)
        return failed(std::move(process).error());
    // What an engine has put into the namespace after `create` (Docker 28, CNI) is to be there.
    return network_.settled().then([this, id, hooks_ms](Result<void>&& settled) -> Promised<void> {
        if (!settled)
            return kj::mv(settled).context("set the guest's network");
        return start_in_guest(id, hooks_ms);
    });
}

Promised<void> Sandbox::start_in_guest(const std::string& id, uint32_t hooks_ms) {
    if (auto process = find_live(id, ""); !process)
        return failed(std::move(process).error());
    auto request = guest_->agent.startContainerRequest();
    request.setId(id);
    uint32_t limit_ms = agent_timeout_ms_ + std::min(hooks_ms, longest_hooks_ms);
    request.setLimitMs(limit_ms);
    return tell_guest(limit_ms + answer_ms, "startContainer", request)
        .then([this, id](Result<void>&& answer) -> Result<void> {
            RUNVM_TRY(answer);
            if (auto record = find(id))
                (*record)->started = true;
            emit(id, "", [](protocol::Event::Builder event) { event.setContainerStarted(); });
            return {};
        });
}

Promised<void> Sandbox::exec(const std::string& id, const std::string& exec_id,
                             protocol::Process::Reader process, const std::string& cgroup,
                             std::vector<StreamEndpoint> streams) {
    if (auto valid = state::check_id(exec_id); !valid)
        return kj::mv(valid);
    auto live = find_live(id, "");
    if (!live)
        return failed(std::move(live).error());
    auto child = std::make_shared<Process>(id, exec_id);
    ContainerRecord& record = containers_.at(id);
    if (record.execs.count(exec_id) != 0)
        return failed(Error(ErrorKind::already_exists, "container " + id + " has a process " + exec_id));
    // The process is read before it is noted: a malformed message throws there.
    if (record.paused) {
        auto copy = kj::heap<Copied<protocol::Process>>(process);
        note_exec(child);
        return exec_when_resumed(child, kj::mv(copy), cgroup, std::move(streams));
    }
    auto request = exec_request(*child, process, cgroup);
    note_exec(child);
    return exec_in_guest(child, kj::mv(request), std::move(streams));
}

void Sandbox::note_exec(const ProcessPtr& child) {
    containers_.at(child->container_id).execs.emplace(child->exec_id, child);
    wake_process_waiters();
}

Sandbox::ExecRequest Sandbox::exec_request(const Process& child, protocol::Process::Reader process,
                                           const std::string& cgroup) {
    auto request = guest_->agent.execRequest();
    request.setId(child.container_id);
    request.setExecId(child.exec_id);
    request.setProcess(process);
    request.setCgroup(cgroup);
    return request;
}

Promised<void> Sandbox::exec_in_guest(const ProcessPtr& child, ExecRequest request,
                                      std::vector<StreamEndpoint> streams) {
    if (auto carried = carry(*child, std::move(streams), request.getProcess()); !carried) {
        discard_exec(child);
        return kj::mv(carried);
    }
    return tell_guest(agent_timeout_ms_, "exec", request)
        .then([this, child](Result<void>&& answer) -> Result<void> {
            if (!answer) {
                discard_exec(child);
                return kj::mv(answer);
            }
            child->created = true;
            watch(child);
            return {};
        });
}

void Sandbox::discard_exec(const ProcessPtr& process) {
    drop_streams(*process);
    process->end(killed_with_machine());
    auto record = containers_.find(process->container_id);
    if (record != containers_.end())
        record->second.execs.erase(process->exec_id);
}

Promised<void> Sandbox::signal(const std::string& id, const std::string& exec_id, int signal, bool all) {
    auto process = find_live(id, exec_id);
    if (!process)
        return failed(std::move(process).error());
    if ((*process)->awaits_resume) {
        if (ends_by_default(signal))
            discard_waiting(containers_.at(id).execs.at(exec_id));
        return Result<void>();
    }
    auto request = guest_->agent.signalRequest();
    request.setId(id);
    request.setExecId(exec_id);
    request.setSignal(signal);
    request.setAll(all);
    if (ends_by_default(signal))
        (*process)->told_to_end = true;
    if (signal == SIGKILL)
        await_death(all || exec_id.empty() ? containers_.at(id).init : containers_.at(id).execs.at(exec_id));
    bool last_resort = signal == SIGKILL && exec_id.empty() && containers_.size() == 1;
    return tell_guest(signal_timeout_ms, "signal", request)
        .then([this, last_resort](Result<void>&& answer) -> Promised<void> {
            // A guest that hangs must not make a container immortal.
            if (answer || answer.error().kind() != ErrorKind::timeout || !last_resort)
                return kj::mv(answer);
            return machine_.destroy();
        });
}

Promised<void> Sandbox::resize(const std::string& id, const std::string& exec_id, uint16_t height,
                               uint16_t width) {
    auto process = find_live(id, exec_id);
    if (!process)
        return failed(std::move(process).error());
    auto request = guest_->agent.resizeRequest();
    request.setId(id);
    request.setExecId(exec_id);
    request.setHeight(height);
    request.setWidth(width);
    return tell_guest(agent_timeout_ms_, "resize", request);
}

Promised<void> Sandbox::delete_container(const std::string& id) {
    auto record = find(id);
    if (!record)
        return failed(std::move(record).error());
    if ((*record)->deleting)
        return failed(Error(ErrorKind::wrong_state, "the container is being deleted"));
    (*record)->deleting = true;
    Promised<void> in_guest = Result<void>();
    if (guest_) {
        auto request = guest_->agent.deleteContainerRequest();
        request.setId(id);
        in_guest = tell_guest(agent_timeout_ms_, "deleteContainer", request);
    }
    return in_guest.then([this, id](Result<void>&& answer) -> Result<void> {
        auto found = containers_.find(id);
        if (found == containers_.end())
            return {};
        if (!answer && guest_) {
            found->second.deleting = false;
            return kj::mv(answer);
        }
        end_process(found->second.init, killed_with_machine());
        for (auto& [exec_id, process] : found->second.execs)
            end_process(process, killed_with_machine());
        machine_.detach_shares(id);
        unplug_disks(found->second);
        containers_.erase(found);
        shrink_machine();
        settle();
        return {};
    });
}

Promised<ProcessPtr> Sandbox::find_process(const std::string& id, const std::string& exec_id) {
    return timer_.timeoutAfter(agent_timeout_ms_ * kj::MILLISECONDS, wait_for_process(id, exec_id))
        .catch_([this, id, exec_id](kj::Exception&&) -> Promised<ProcessPtr> {
            // A container whose hooks run yet, which may take any time.
            if (exec_id.empty() && awaits_creator())
                return find_process(id, exec_id);
            return Result<ProcessPtr>(
                Error(ErrorKind::not_found, "the sandbox has no such process of container " + id));
        });
}

Promised<ProcessPtr> Sandbox::wait_for_process(const std::string& id, const std::string& exec_id) {
    if (auto record = containers_.find(id); record != containers_.end()) {
        if (exec_id.empty())
            return Result<ProcessPtr>(record->second.init);
        if (auto child = record->second.execs.find(exec_id); child != record->second.execs.end())
            return Result<ProcessPtr>(child->second);
    }
    auto pair = kj::newPromiseAndFulfiller<void>();
    process_waiters_.push_back(kj::mv(pair.fulfiller));
    return pair.promise.then([this, id, exec_id] { return wait_for_process(id, exec_id); });
}

void Sandbox::wake_process_waiters() {
    auto waiters = std::move(process_waiters_);
    process_waiters_.clear();
    for (auto& waiter : waiters)
        waiter->fulfill();
}

void Sandbox::attach(Process& process) {
    ++process.attached;
    ++attached_;
}

void Sandbox::detach(const ProcessPtr& process) {
    --attached_;
    --process->attached;
    if (process->awaits_resume && process->attached == 0)
        discard_waiting(process);
    kill_if_orphaned(process);
    if (process->ended() && process->attached == 0) {
        auto record = containers_.find(process->container_id);
        if (record != containers_.end())
            record->second.execs.erase(process->exec_id);
    }
    settle();
}

// The shim is gone (SIGKILL, or conmon's timeout kills its process group): so is the process.
void Sandbox::kill_if_orphaned(const ProcessPtr& process) {
    if (process->attached == 0 && !process->ended() && guest_)
        tasks_.add(signal(process->container_id, process->exec_id, SIGKILL, false).ignoreResult());
}

} // namespace runvm::sandbox
