#pragma once
// The sandbox: one VM and its containers. All of it lives on one event loop. service.h puts it behind the
// protocol.
//
//   created --boot--> booting --agent answered--> running <--pause/resume--> paused
//   Paused means suspended: by `pause`, or because all containers are paused (suspension.h). A call to the
//   guest lets it run for that time.
//      any of these --machine over, boot failed, release, last container over--> stopped

#include "core/result.h"
#include "protocol/sandbox.capnp.h"
#include "sandbox/agent_call.h"
#include "sandbox/copied.h"
#include "sandbox/machine.h"
#include "sandbox/name_queries.h"
#include "sandbox/network.h"
#include "sandbox/process.h"
#include "sandbox/suspension.h"

#include <kj/async.h>
#include <kj/timer.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace runvm::sandbox {

/// A call's outcome as a promise; kj's own failures have become errors.
template <class T>
using Promised = kj::Promise<Result<T>>;

inline Promised<void> failed(Error error) {
    return Result<void>(std::move(error));
}

/// The monitor's end of one stream of a process.
struct StreamEndpoint {
    uint32_t fd;
    protocol::StreamBinding::Direction direction;
    os::Fd end;
};

struct NewShare {
    ShareRequest request;
    bool readonly_when_created = false;
};

/// The guest's answer to "processes".
using Processes = Copied<protocol::Agent::ProcessesResults>;

vm::Demand read_demand(protocol::Resources::Reader resources);

class Sandbox final : private kj::TaskSet::ErrorHandler {
public:
    /// `on_over` is called once when nothing keeps the sandbox any more: the monitor leaves.
    Sandbox(kj::Timer& timer, Machine& machine, std::function<void(std::string reason)> on_over);
    ~Sandbox();

    Result<void> boot(protocol::SandboxConfig::Reader config);

    const std::string& id() const { return id_; }
    protocol::SandboxState state() const { return state_; }
    /// Nothing broke: the last container ended, or somebody asked for the end.
    bool ended_in_order() const { return !failure_; }
    Machine& machine() { return machine_; }
    uint32_t boot_ms() const { return boot_ms_; }
    const std::map<std::string, ContainerRecord>& containers() const { return containers_; }

    Promised<void> create_container(const std::string& id, protocol::Container::Reader container,
                                    std::vector<NewShare> shares, std::vector<StreamEndpoint> streams);
    /// `hooks_ms`: how long its start hooks may take.
    Promised<void> start_container(const std::string& id, uint32_t hooks_ms = 0);
    Promised<void> delete_container(const std::string& id);
    Promised<void> exec(const std::string& id, const std::string& exec_id, protocol::Process::Reader process,
                        const std::string& cgroup, std::vector<StreamEndpoint> streams);
    Promised<void> signal(const std::string& id, const std::string& exec_id, int signal, bool all);
    Promised<void> resize(const std::string& id, const std::string& exec_id, uint16_t height, uint16_t width);
    Promised<void> update_container(const std::string& id, protocol::Resources::Reader resources);
    /// The network namespace that its containers are in, on the host.
    Result<void> set_network(os::Fd space);
    Promised<void> pause_container(const std::string& id);
    Promised<void> resume_container(const std::string& id);
    /// Their answers are the guest's: only their sizes have been checked.
    Promised<kj::Own<Processes>> list_processes(const std::string& id);
    Promised<std::vector<std::string>> read_cgroup(const std::string& id,
                                                   const std::vector<std::string>& names);
    Promised<void> pause();
    Promised<void> resume();
    /// Orderly: the guest powers off, or is ended after a grace time.
    Promised<void> release();
    /// Ends the machine at once and lets the monitor leave.
    void end(const std::string& reason);

    /// The process, waiting for a limited time for one that is yet to be created.
    Promised<ProcessPtr> find_process(const std::string& id, const std::string& exec_id);
    /// A shim took the process, or left it: a process that has not ended is killed when its last shim leaves,
    /// or when none has come 10 s after it was made.
    void attach(Process& process);
    void detach(const ProcessPtr& process);

    /// The connection that makes the sandbox: if it is lost before `commit`, the sandbox ends.
    void creator_came();
    void creator_left();
    /// Another connection makes a container: the sandbox stays until that is committed, or the connection is
    /// lost. wrong_state as long as the first container is not committed.
    Result<void> join(const std::string& id);
    /// It was lost, or had committed the container.
    void joiner_left(const std::string& id);
    /// Somebody has yet to commit a container: its hooks may take any time.
    bool awaits_creator() const { return (creator_is_here_ && !committed_) || !joining_.empty(); }
    Result<void> commit(const std::string& id);

    using Listener = std::function<void(protocol::Event::Builder)>;
    /// Events from now on, until `remove_listener`.
    uint64_t add_listener(Listener listener);
    void remove_listener(uint64_t key);

private:
    void taskFailed(kj::Exception&& exception) override;

    Promised<void> when_booted();
    /// A call to the guest, for which its machine runs.
    template <class Params, class Results>
    Promised<capnp::Response<Results>> ask_guest(uint32_t limit_ms, const char* name,
                                                 capnp::Request<Params, Results>& request) {
        auto awake = suspension_.keep_awake();
        return ask(timer_, limit_ms, name, request.send()).attach(kj::mv(awake));
    }
    /// The same where only the error matters.
    template <class Params, class Results>
    Promised<void> tell_guest(uint32_t limit_ms, const char* name, capnp::Request<Params, Results>& request) {
        auto awake = suspension_.keep_awake();
        return tell(timer_, limit_ms, name, request.send()).attach(kj::mv(awake));
    }
    Result<ContainerRecord*> find(const std::string& id);
    Result<Process*> find_live(const std::string& id, const std::string& exec_id);
    using ExecRequest = capnp::Request<protocol::Agent::ExecParams, protocol::Agent::ExecResults>;
    void note_exec(const ProcessPtr& child);
    ExecRequest exec_request(const Process& child, protocol::Process::Reader process,
                             const std::string& cgroup);
    Promised<void> exec_in_guest(const ProcessPtr& child, ExecRequest request,
                                 std::vector<StreamEndpoint> streams);
    Promised<void> exec_when_resumed(const ProcessPtr& child, kj::Own<Copied<protocol::Process>> process,
                                     const std::string& cgroup, std::vector<StreamEndpoint> streams);
    void discard_waiting(ProcessPtr child);
    Promised<void> freeze(const ProcessPtr& init, bool frozen);
    void wake_resume_waiters(const std::string& id);
    void await_death(const ProcessPtr& process);
    Suspension::Hooks suspension_hooks();
    Promised<void> settle_machine();
    bool may_suspend() const;
    void suspension_changed(bool suspended, Result<void> result);
    struct Sizing {
        Result<void> read(protocol::SandboxConfig::Reader config);
        vm::MachineSize boot;
        vm::MachineSize basis; ///< what containers without limits get
        vm::MachineSize largest;
        vm::MachineSize now;      ///< what the machine was last told to be
        bool is_confirmed = true; ///< the guest has what it was told of
        bool is_growing = false;
        uint64_t step_mib = 1;
    };
    vm::MachineSize wanted_size() const;
    Promised<void> grow_machine();
    Promised<void> resize_and_await(vm::MachineSize wanted);
    Promised<void> tell_of_network(const network::State& state);
    Promised<void> start_in_guest(const std::string& id, uint32_t hooks_ms);
    void shrink_machine();
    Result<void> carry(Process& process, std::vector<StreamEndpoint> streams, protocol::Process::Builder out);
    void drop_streams(Process& process);
    struct NewContainer;
    Result<void> check_creation(const ProcessPtr& init, Result<void> outcome);
    Promised<void> create_in_guest(NewContainer& plan);
    Result<void> created(const ProcessPtr& init, const std::vector<std::string>& readonly_shares);
    bool is_deleted(const ProcessPtr& init) const;
    void discard(const ProcessPtr& init);
    void discard_exec(const ProcessPtr& process);
    void watch(const ProcessPtr& process);
    void watch_memory(const ProcessPtr& init, uint64_t seen);
    void tell_of_oom(const std::string& id);
    Promised<void> plug_disks(const ProcessPtr& init, protocol::Container::Builder container);
    void unplug_disks(const ContainerRecord& record);
    void follow_file_watches(bool all);
    void carry_file_events();
    kj::Promise<void> tell_file_events(std::vector<vm::FileEvent> events, size_t next);
    void kill_if_orphaned(const ProcessPtr& process);
    void end_process(const ProcessPtr& process, Exit exit);
    void await_end_of_stream(channel::StreamId number);
    void wake_process_waiters();
    Promised<ProcessPtr> wait_for_process(const std::string& id, const std::string& exec_id);
    void set_state(protocol::SandboxState state);
    void machine_over(const std::string& reason);
    void settle();
    void leave_if_idle();
    void leave(const std::string& reason);
    void emit(const std::string& container, const std::string& exec,
              const std::function<void(protocol::Event::Builder)>& fill);

    kj::Timer& timer_;
    Machine& machine_;
    std::function<void(std::string)> on_over_;
    std::string id_;
    std::string log_level_;
    protocol::SandboxState state_ = protocol::SandboxState::CREATED;
    std::optional<Error> failure_; ///< why the machine is over, for calls that come too late
    std::unique_ptr<Guest> guest_;
    std::optional<kj::ForkedPromise<void>> booted_;
    uint32_t agent_timeout_ms_ = 30000;
    uint32_t boot_ms_ = 0;
    bool asked_to_pause_ = false;
    bool committed_ = false;        ///< the first container is
    std::set<std::string> joining_; ///< further ones, until they are
    bool creator_is_here_ = false;
    bool is_ending_ = false; ///< the machine is being destroyed
    bool over_ = false;
    uint32_t attached_ = 0;
    uint32_t open_streams_ = 0; ///< of ended processes: output that is still on its way
    channel::StreamId next_stream_ = 1;
    std::map<std::string, ContainerRecord> containers_;
    std::map<uint64_t, Listener> listeners_;
    uint64_t next_listener_ = 1;
    std::set<uint32_t> watched_files_;
    uint32_t next_disk_ = 1;
    std::vector<kj::Own<kj::PromiseFulfiller<void>>> process_waiters_;
    Sizing sizing_;
    std::optional<kj::ForkedPromise<void>> growth_; ///< the last one
    Suspension suspension_;
    bool is_network_followed_ = false;
    Network network_;
    NameQueries name_queries_;
    kj::TaskSet tasks_;
};

} // namespace runvm::sandbox
