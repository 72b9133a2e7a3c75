#pragma once
// A machine and an agent without a VM: the agent is a server in this process, scripted by the test; the
// stream port is a socket pair with a second relay at the guest's end.

#include "fake_network.h"

#include "channel/port.h"
#include "channel/relay.h"
#include "channel/rpc_error.h"
#include "sandbox/machine.h"

#include <kj/async-io.h>
#include <kj/debug.h>
#include <sys/socket.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace runvm::sandbox {

/// What the agent was asked, and what it shall answer.
struct AgentScript {
    std::vector<std::string> calls;      ///< "createContainer c1", in their order
    std::map<std::string, Error> errors; ///< by the call's name: its answer
    std::set<std::string> silent;        ///< calls that are never answered
    std::map<std::string, kj::Own<kj::PromiseFulfiller<void>>> waiting; ///< by "id/execId": ends the process
    bool signaled = false;
    uint32_t exit_value = 0;
    uint64_t exit_stream_bytes = 0;
    std::map<std::string, channel::StreamId> first_stream; ///< by "id/execId"
    std::optional<uint32_t> ends_at_once; ///< what each process ends with as soon as it runs; none: it stays
    unsigned processes = 0;               ///< of its answer
    size_t process_name_bytes = 0;
    std::vector<std::string> cgroup_files; ///< of its answer
    uint64_t oom_kills = 0;
    std::vector<std::string> name_queries;         ///< what it asks, once
    bool obeys_signals = false;                    ///< every signal ends its process
    std::map<uint32_t, std::string> added_watches; ///< what it tells of, once
    std::vector<uint32_t> removed_watches;         ///< with them
    std::map<std::string, std::string> disks;      ///< by device, of the container that was made last

    void exit(const std::string& process) { waiting.at(process)->fulfill(); }
};

class FakeAgent final : public protocol::Agent::Server {
public:
    explicit FakeAgent(AgentScript& script) : script_(script) {}

    kj::Promise<void> createContainer(CreateContainerContext context) override {
        auto params = context.getParams();
        remember_stream(std::string(params.getId().cStr()) + "/", params.getContainer().getProcess());
        for (auto device : params.getContainer().getDevices())
            script_.disks[device.getPath()] = device.getSerial();
        return play("createContainer", params.getId(), context);
    }
    kj::Promise<void> startContainer(StartContainerContext context) override {
        auto played = play("startContainer", context.getParams().getId(), context);
        end_at_once(std::string(context.getParams().getId().cStr()) + "/");
        return played;
    }
    kj::Promise<void> exec(ExecContext context) override {
        auto params = context.getParams();
        remember_stream(std::string(params.getId().cStr()) + "/" + params.getExecId().cStr(),
                        params.getProcess());
        return play("exec", params.getExecId(), context);
    }
    kj::Promise<void> signal(SignalContext context) override {
        auto params = context.getParams();
        std::string key = std::string(params.getId().cStr()) + "/" + params.getExecId().cStr();
        if (script_.obeys_signals && script_.silent.count("signal") == 0 && script_.waiting.count(key) != 0) {
            script_.signaled = true;
            script_.exit_value = static_cast<uint32_t>(params.getSignal());
            script_.exit(key);
        }
        return play("signal", kj::str(params.getSignal()), context);
    }
    kj::Promise<void> resize(ResizeContext context) override {
        return play("resize", context.getParams().getId(), context);
    }
    kj::Promise<void> forgetProcess(ForgetProcessContext context) override {
        return play("forgetProcess", context.getParams().getExecId(), context);
    }
    kj::Promise<void> deleteContainer(DeleteContainerContext context) override {
        auto id = context.getParams().getId();
        auto played = play("deleteContainer", id, context);
        if (script_.silent.count("deleteContainer") == 0 && script_.errors.count("deleteContainer") == 0)
            for (auto& [process, fulfiller] : script_.waiting)
                if (process.rfind(std::string(id.cStr()) + "/", 0) == 0)
                    fulfiller->fulfill();
        return played;
    }
    kj::Promise<void> setClock(SetClockContext context) override {
        return play("setClock", context.getParams().getHostTimeNs() > 0 ? "of now" : "of no time", context);
    }
    kj::Promise<void> freeze(FreezeContext context) override {
        auto params = context.getParams();
        return play(params.getFrozen() ? "freeze" : "thaw", params.getId(), context);
    }
    kj::Promise<void> updateContainer(UpdateContainerContext context) override {
        auto files = context.getParams().getResources().getFiles();
        return play("updateContainer", files.size() > 0 ? files[0].getName() : kj::StringPtr("nothing"),
                    context);
    }
    kj::Promise<void> grow(GrowContext context) override {
        auto params = context.getParams();
        return play("grow", kj::str(params.getVcpus(), " +", params.getMemoryMib()), context);
    }
    kj::Promise<void> setNetwork(SetNetworkContext context) override {
        std::string names;
        for (auto link : context.getParams().getNetwork().getLinks())
            names += (names.empty() ? "" : " ") + std::string(link.getName().cStr());
        return play("setNetwork", names, context);
    }
    kj::Promise<void> awaitFileWatches(AwaitFileWatchesContext context) override {
        if (script_.added_watches.empty() && script_.removed_watches.empty())
            return kj::NEVER_DONE;
        auto added = context.getResults().initAdded(static_cast<unsigned>(script_.added_watches.size()));
        unsigned i = 0;
        for (const auto& [id, path] : std::exchange(script_.added_watches, {})) {
            added[i].setId(id);
            added[i++].setPath(kj::StringPtr(path.c_str(), path.size()).asBytes());
        }
        auto gone = std::exchange(script_.removed_watches, {});
        auto removed = context.getResults().initRemoved(static_cast<unsigned>(gone.size()));
        for (i = 0; i < gone.size(); ++i)
            removed.set(i, gone[i]);
        return kj::READY_NOW;
    }
    kj::Promise<void> tellFileEvents(TellFileEventsContext context) override {
        for (auto event : context.getParams().getEvents()) {
            auto name = event.getName().asChars();
            script_.calls.push_back("event " + std::to_string(event.getWatch()) + " " +
                                    std::to_string(event.getMask()) + " " +
                                    std::string(name.begin(), name.size()));
        }
        return play("tellFileEvents", std::to_string(context.getParams().getEvents().size()), context);
    }
    kj::Promise<void> nextNameQueries(NextNameQueriesContext context) override {
        if (script_.name_queries.empty())
            return kj::NEVER_DONE;
        auto queries = context.getResults().initQueries(static_cast<unsigned>(script_.name_queries.size()));
        for (unsigned i = 0; i < queries.size(); ++i)
            queries[i].setMessage(kj::StringPtr(script_.name_queries[i]).asBytes());
        script_.name_queries.clear();
        return kj::READY_NOW;
    }
    kj::Promise<void> answerNameQuery(AnswerNameQueryContext context) override {
        auto message = context.getParams().getMessage().asChars();
        script_.calls.push_back("answerNameQuery " + std::string(message.begin(), message.size()));
        return kj::READY_NOW;
    }
    kj::Promise<void> processes(ProcessesContext context) override {
        auto list = context.getResults().initProcesses(script_.processes);
        for (auto process : list)
            process.setName(std::string(script_.process_name_bytes, 'x'));
        return play("processes", context.getParams().getId(), context);
    }
    kj::Promise<void> readCgroup(ReadCgroupContext context) override {
        auto contents = context.getResults().initContents(static_cast<unsigned>(script_.cgroup_files.size()));
        for (unsigned i = 0; i < contents.size(); ++i)
            contents.set(i, script_.cgroup_files[i]);
        return play("readCgroup", context.getParams().getId(), context);
    }
    kj::Promise<void> awaitOomKill(AwaitOomKillContext context) override {
        uint64_t seen = context.getParams().getSeen();
        if (seen >= script_.oom_kills)
            return kj::NEVER_DONE;
        context.getResults().setKills(seen + 1);
        return kj::READY_NOW;
    }
    kj::Promise<void> powerOff(PowerOffContext) override {
        script_.calls.emplace_back("powerOff");
        return kj::READY_NOW;
    }
    kj::Promise<void> wait(WaitContext context) override {
        auto params = context.getParams();
        std::string key = std::string(params.getId().cStr()) + "/" + params.getExecId().cStr();
        auto pair = kj::newPromiseAndFulfiller<void>();
        script_.waiting[key] = kj::mv(pair.fulfiller);
        if (params.getExecId().size() > 0)
            end_at_once(key);
        return pair.promise.then([this, context, key]() mutable {
            auto status = context.getResults().initStatus();
            status.setSignaled(script_.signaled);
            status.setValue(script_.exit_value);
            auto streams = status.initStreams(1);
            streams[0].setStream(script_.first_stream[key]);
            streams[0].setBytes(script_.exit_stream_bytes);
        });
    }

private:
    void end_at_once(const std::string& key) {
        if (!script_.ends_at_once || script_.waiting.count(key) == 0)
            return;
        script_.exit_value = *script_.ends_at_once;
        script_.exit(key);
    }

    void remember_stream(const std::string& key, protocol::Process::Reader process) {
        if (process.getStreams().size() > 0)
            script_.first_stream[key] = process.getStreams()[0].getStream();
    }

    template <class Context>
    kj::Promise<void> play(const std::string& call, kj::StringPtr detail, Context& context) {
        script_.calls.push_back(call + " " + detail.cStr());
        if (script_.silent.count(call) != 0)
            return kj::NEVER_DONE;
        auto error = script_.errors.find(call);
        if (error != script_.errors.end())
            channel::write_error(error->second, context.getResults().getError());
        return kj::READY_NOW;
    }

    AgentScript& script_;
};

class FakeMachine : public Machine {
public:
    FakeMachine(kj::AsyncIoContext& io, AgentScript& script) : io_(io), script_(script) {}
    ~FakeMachine() noexcept override = default; // kj's destructors may throw; ours may not

    std::optional<Error> boot_error;
    std::optional<Error> share_error;
    std::optional<Error> suspend_error;
    std::optional<Error> resume_error;
    std::optional<Error> resize_error;
    std::optional<Error> nic_error;
    std::optional<Error> disk_error;
    std::optional<Error> watch_error;
    std::shared_ptr<MadeUpNamespace> space = std::make_shared<MadeUpNamespace>();
    bool never_boots = false;
    kj::Promise<void> booted = kj::READY_NOW; ///< the boot waits for it
    std::vector<std::string> calls;
    kj::Own<kj::PromiseFulfiller<std::vector<vm::FileEvent>>> file_events; ///< what the host does next
    std::unique_ptr<channel::StreamRelay> guest_relay; ///< the guest's end of the stream port

    void die(const std::string& reason) { on_death_(reason); }

    kj::Promise<Result<std::unique_ptr<Guest>>> boot(protocol::SandboxConfig::Reader) override {
        if (boot_error)
            return Result<std::unique_ptr<Guest>>(*boot_error);
        if (never_boots)
            return kj::NEVER_DONE;
        int ends[2];
        KJ_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        guest_relay = std::make_unique<channel::StreamRelay>(
            io_.unixEventPort, channel::wrap_port(io_.unixEventPort, os::Fd(ends[1])));
        auto relay = std::make_unique<channel::StreamRelay>(
            io_.unixEventPort, channel::wrap_port(io_.unixEventPort, os::Fd(ends[0])));
        running_ = guest_relay->run().eagerlyEvaluate([](kj::Exception&&) {});
        return booted.then([this, relay = std::move(relay)]() mutable -> Result<std::unique_ptr<Guest>> {
            return std::make_unique<Guest>(Guest{kj::heap<FakeAgent>(script_), std::move(relay)});
        });
    }
    void on_death(std::function<void(std::string)> callback) override { on_death_ = std::move(callback); }
    kj::Promise<Result<void>> suspend() override {
        return suspend_error ? Result<void>(*suspend_error) : done("suspend");
    }
    kj::Promise<Result<void>> resume() override {
        return resume_error ? Result<void>(*resume_error) : done("resume");
    }
    kj::Promise<Result<void>> resize(uint32_t vcpus, uint64_t growth_mib) override {
        if (resize_error)
            return Result<void>(*resize_error);
        return done("resize " + std::to_string(vcpus) + " +" + std::to_string(growth_mib));
    }
    kj::Promise<Result<void>> destroy() override { return done("destroy"); }
    Result<std::unique_ptr<HostNetwork>> open_network(os::Fd) override {
        std::unique_ptr<HostNetwork> opened = std::make_unique<FakeNetwork>(space);
        return opened;
    }
    kj::Promise<Result<void>> plug_nic(const vm::Nic& nic) override {
        return nic_error ? Result<void>(*nic_error)
                         : done("plug " + nic.tap + (nic.tap_is_there ? ", which is there" : ""));
    }
    kj::Promise<Result<void>> unplug_nic(const vm::Nic& nic) override { return done("unplug " + nic.tap); }
    Result<void> attach_share(ShareRequest request) override {
        if (share_error)
            return *share_error;
        calls.push_back("attach " + request.container + "/" + request.name);
        return {};
    }
    Result<void> make_share_readonly(const std::string& container, const std::string& name) override {
        calls.push_back("readonly " + container + "/" + name);
        return {};
    }
    void detach_shares(const std::string& container) override { calls.push_back("detach " + container); }
    kj::Promise<Result<void>> plug_disk(DiskRequest request) override {
        return disk_error ? Result<void>(*disk_error)
                          : done("plug " + request.serial + (request.readonly ? " readonly" : ""));
    }
    kj::Promise<Result<void>> unplug_disk(const std::string& serial) override {
        return done("unplug " + serial);
    }
    Result<void> watch_file(uint32_t id, const std::string& path) override {
        calls.push_back("watch " + std::to_string(id) + " " + path);
        return watch_error ? Result<void>(*watch_error) : Result<void>();
    }
    void unwatch_file(uint32_t id) override { calls.push_back("unwatch " + std::to_string(id)); }
    kj::Promise<std::vector<vm::FileEvent>> next_file_events() override {
        auto pair = kj::newPromiseAndFulfiller<std::vector<vm::FileEvent>>();
        file_events = kj::mv(pair.fulfiller);
        return kj::mv(pair.promise);
    }
    std::string console_tail() const override { return "the console"; }
    pid_t qemu_pid() const override { return 11; }
    pid_t virtiofsd_pid() const override { return 12; }

private:
    Result<void> done(const std::string& call) {
        calls.push_back(call);
        return {};
    }

    kj::AsyncIoContext& io_;
    AgentScript& script_;
    std::function<void(std::string)> on_death_;
    kj::Promise<void> running_ = kj::READY_NOW;
};

} // namespace runvm::sandbox
