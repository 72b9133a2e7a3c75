#pragma once
// The table of the guest's containers and their processes: what the calls of interface Agent do, without RPC.

#include "agent/cgroup.h"
#include "agent/launcher.h"
#include "agent/oom_watch.h"
#include "agent/process.h"
#include "agent/process_list.h"
#include "agent/shared_folder.h"
#include "channel/relay.h"
#include "core/result.h"
#include "protocol/agent.capnp.h"

#include <kj/async-unix.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace runvm::agent {

struct Container {
    enum class State { creating, created, starting, running, stopped };

    explicit Container(std::string container_id) : id(std::move(container_id)) {}

    const std::string id;
    State state = State::creating;
    uint64_t namespaces = 0;
    uint64_t personality = 0;
    std::string session_keyring;
    os::IdMappings id_mappings; ///< of its user namespace; empty: it has none
    std::optional<Cgroup> cgroup;
    ProcessPtr init;        ///< empty until it has been launched
    os::Fd mount_namespace; ///< keeps its mounts when its processes have ended: see SharedFolder::hold
    std::vector<std::shared_ptr<SharedMemory::Hold>> memory;
    std::shared_ptr<SetupChannel> channel;
    std::map<std::string, ProcessPtr> execs;
    std::shared_ptr<OomWatch> oom_watch;                ///< once somebody has asked
    kj::Maybe<kj::ForkedPromise<Result<void>>> removal; ///< while it is taken down
};

using ContainerPtr = std::shared_ptr<Container>;

class Containers final : private kj::TaskSet::ErrorHandler {
public:
    Containers(kj::UnixEventPort& event_port, Launcher launcher);

    /// From here on the processes' streams are carried by `relay`, until end_session.
    void begin_session(channel::StreamRelay& relay);
    void end_session();

    // The calls of Agent (agent.capnp). Readers must stay valid until the promise has resolved.
    kj::Promise<Result<pid_t>> create(const std::string& id, protocol::Container::Reader container);
    kj::Promise<Result<void>> start(const std::string& id, uint32_t limit_ms);
    kj::Promise<Result<pid_t>> exec(const std::string& id, const std::string& exec_id,
                                    protocol::Process::Reader process, const std::string& cgroup);
    kj::Promise<Result<Exit>> wait(const std::string& id, const std::string& exec_id);
    Result<void> signal(const std::string& id, const std::string& exec_id, int signal, bool all);
    Result<void> resize(const std::string& id, const std::string& exec_id, uint16_t height, uint16_t width);
    kj::Promise<Result<void>> freeze(const std::string& id, bool frozen);
    Result<void> forget(const std::string& id, const std::string& exec_id);
    kj::Promise<Result<void>> remove(const std::string& id);
    Result<std::vector<ProcessInfo>> processes(const std::string& id) const;
    Result<std::vector<std::string>> read_cgroup(const std::string& id,
                                                 const std::vector<std::string>& names) const;
    Result<void> update(const std::string& id, protocol::Resources::Reader resources);
    kj::Promise<Result<uint64_t>> await_oom_kill(const std::string& id, uint64_t seen);

    /// A child of the agent has been reaped.
    void child_ended(pid_t pid, int wait_status);

private:
    Result<ContainerPtr> find(const std::string& id) const;
    /// One whose process is there, started or not.
    Result<ContainerPtr> find_up(const std::string& id) const;
    Result<ProcessPtr> find_process(const std::string& id, const std::string& exec_id) const;

    kj::Promise<Result<pid_t>> launch(ContainerPtr container, protocol::Container::Reader description);
    kj::Promise<Result<pid_t>> run_exec(ContainerPtr container, const std::string& exec_id,
                                        Launched launched);
    ProcessPtr adopt(Launched& launched, const ContainerPtr& container, const std::string& exec_id);
    kj::Promise<Result<void>> await_ready(ProcessPtr process, std::shared_ptr<SetupChannel> channel);
    kj::Promise<Result<void>> await_execution(std::shared_ptr<SetupChannel> channel);
    Result<void> attach_streams(const ProcessPtr& process, Stdio stdio);
    void detach_inputs(const Process& process);
    void forget_ended_streams(const Process& process);

    kj::Promise<Result<void>> await_frozen(ContainerPtr container, kj::TimePoint deadline);
    kj::Promise<void> finish_init(ContainerPtr container);
    void finish(Process& process, const Container& container);
    kj::Promise<Result<void>> destroy(ContainerPtr container);
    kj::Promise<Result<void>> take_down(ContainerPtr container);
    kj::Promise<bool> release_mounts(Container& container, kj::TimePoint deadline);
    Result<void> remove_traces(Container& container);
    kj::Promise<bool> await_empty(ContainerPtr container, kj::TimePoint deadline);
    kj::Promise<void> discard(ProcessPtr process);

    void taskFailed(kj::Exception&& exception) override;

    kj::UnixEventPort& event_port_;
    kj::Timer& timer_;
    Launcher launcher_;
    SharedFolder shared_folder_;
    std::map<std::string, ContainerPtr> containers_;
    std::map<pid_t, ProcessPtr> running_;                          ///< not yet reaped
    std::map<pid_t, kj::Own<kj::PromiseFulfiller<bool>>> helpers_; ///< children that are no container's
    channel::StreamRelay* relay_ = nullptr;
    uint64_t session_ = 0;
    kj::TaskSet tasks_;
};

/// Are these the characters of a container's id, as runc checks it?
bool valid_container_id(const std::string& id);

} // namespace runvm::agent
