#include "agent/service.h"

#include "agent/boot.h"
#include "channel/rpc_error.h"
#include "os/memory.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>

namespace runvm::agent {

namespace {

constexpr int64_t ns_per_s = 1'000'000'000;
/// Enough for the answer to powerOff to leave the machine.
constexpr auto power_off_delay = 20 * kj::MILLISECONDS;

/// Writes the error of `result` into an answer, if it is one.
template <class Context, class T>
bool answer_error(Context& context, const Result<T>& result) {
    if (result)
        return false;
    channel::write_error(result.error(), context.getResults().initError());
    return true;
}

Result<void> set_clock(int64_t time_ns) {
    if (time_ns <= 0)
        return Error(ErrorKind::invalid_argument, "the host's time is not after 1970");
    timespec time{time_ns / ns_per_s, time_ns % ns_per_s};
    if (::clock_settime(CLOCK_REALTIME, &time) != 0)
        return system_error("set the clock");
    return {};
}

// Nothing is lost if the host goes away, and a wait can be long. Later versions want it said in the schema,
// in words that this one does not know: there the wait of a lost session stays until its process ends.
template <class Context>
void allow_cancellation([[maybe_unused]] Context& context) {
#if CAPNP_VERSION < 1000000
    context.allowCancellation();
#endif
}

} // namespace

kj::Promise<void> AgentService::hello(HelloContext context) {
    auto params = context.getParams();
    auto results = context.getResults();
    results.setProtocolVersion(protocol::AGENT_PROTOCOL_VERSION);
    results.setAgentVersion(RUNVM_VERSION);
    utsname kernel{};
    if (::uname(&kernel) == 0)
        results.setKernelRelease(kernel.release);
    results.setBootNs(boot_ns_);
    if (params.getProtocolVersion() != protocol::AGENT_PROTOCOL_VERSION) {
        Error mismatch(ErrorKind::unsupported,
                       "the guest's agent speaks protocol version " +
                           std::to_string(protocol::AGENT_PROTOCOL_VERSION) + ", the host speaks " +
                           std::to_string(params.getProtocolVersion()) + "; make the guest image anew");
        channel::write_error(mismatch, results.initError());
    } else {
        answer_error(context, set_clock(params.getHostTimeNs()));
    }
    return kj::READY_NOW;
}

kj::Promise<void> AgentService::createContainer(CreateContainerContext context) {
    auto params = context.getParams();
    auto answer = [context](Result<pid_t> pid) mutable {
        if (!answer_error(context, pid))
            context.getResults().setGuestPid(static_cast<uint32_t>(*pid));
    };
    if (!Disks::are_in(params.getContainer()))
        return containers_.create(params.getId(), params.getContainer()).then(kj::mv(answer));
    using Resolved = Result<kj::Own<capnp::MessageBuilder>>;
    auto create = [this, params](Resolved&& resolved) -> kj::Promise<Result<pid_t>> {
        if (!resolved)
            return Result<pid_t>(std::move(resolved).error());
        auto message = kj::mv(*resolved);
        auto container = message->getRoot<protocol::Container>().asReader();
        return containers_.create(params.getId(), container).attach(kj::mv(message));
    };
    return disks_.resolve(params.getContainer()).then(kj::mv(create)).then(kj::mv(answer));
}

kj::Promise<void> AgentService::startContainer(StartContainerContext context) {
    auto params = context.getParams();
    return containers_.start(params.getId(), params.getLimitMs())
        .then([this, context](Result<void> result) mutable {
            answer_error(context, result);
            cached_inodes_.limit_soon();
            file_watches_.follow_soon();
        });
}

kj::Promise<void> AgentService::exec(ExecContext context) {
    auto params = context.getParams();
    return containers_.exec(params.getId(), params.getExecId(), params.getProcess(), params.getCgroup())
        .then([context](Result<pid_t> pid) mutable {
            if (!answer_error(context, pid))
                context.getResults().setGuestPid(static_cast<uint32_t>(*pid));
        });
}

kj::Promise<void> AgentService::wait(WaitContext context) {
    auto params = context.getParams();
    allow_cancellation(context);
    return containers_.wait(params.getId(), params.getExecId()).then([context](Result<Exit> exit) mutable {
        if (!answer_error(context, exit))
            exit->write(context.getResults().initStatus());
    });
}

kj::Promise<void> AgentService::signal(SignalContext context) {
    auto params = context.getParams();
    answer_error(context,
                 containers_.signal(params.getId(), params.getExecId(), params.getSignal(), params.getAll()));
    return kj::READY_NOW;
}

kj::Promise<void> AgentService::resize(ResizeContext context) {
    auto params = context.getParams();
    answer_error(context, containers_.resize(params.getId(), params.getExecId(), params.getHeight(),
                                             params.getWidth()));
    return kj::READY_NOW;
}

kj::Promise<void> AgentService::forgetProcess(ForgetProcessContext context) {
    auto params = context.getParams();
    answer_error(context, containers_.forget(params.getId(), params.getExecId()));
    return kj::READY_NOW;
}

kj::Promise<void> AgentService::deleteContainer(DeleteContainerContext context) {
    return containers_.remove(context.getParams().getId()).then([this, context](Result<void> result) mutable {
        file_watches_.forget(context.getParams().getId());
        answer_error(context, result);
    });
}

kj::Promise<void> AgentService::processes(ProcessesContext context) {
    Result<std::vector<ProcessInfo>> processes = containers_.processes(context.getParams().getId());
    if (answer_error(context, processes))
        return kj::READY_NOW;
    auto list = context.getResults().initProcesses(static_cast<unsigned>(processes->size()));
    for (unsigned i = 0; i < processes->size(); ++i)
        (*processes)[i].write(list[i]);
    context.getResults().setMemoryBytes(os::memory_bytes());
    return kj::READY_NOW;
}

kj::Promise<void> AgentService::ping(PingContext) {
    return kj::READY_NOW;
}

kj::Promise<void> AgentService::powerOff(PowerOffContext) {
    timer_.afterDelay(power_off_delay).then([] { power_off(); }).detach([](kj::Exception&&) { power_off(); });
    return kj::READY_NOW;
}

kj::Promise<void> AgentService::setClock(SetClockContext context) {
    answer_error(context, set_clock(context.getParams().getHostTimeNs()));
    return kj::READY_NOW;
}

kj::Promise<void> AgentService::freeze(FreezeContext context) {
    auto params = context.getParams();
    return containers_.freeze(params.getId(), params.getFrozen())
        .then([context](Result<void> result) mutable { answer_error(context, result); });
}

kj::Promise<void> AgentService::readCgroup(ReadCgroupContext context) {
    auto params = context.getParams();
    std::vector<std::string> names;
    for (auto name : params.getNames())
        names.emplace_back(name.cStr());
    Result<std::vector<std::string>> read = containers_.read_cgroup(params.getId(), names);
    if (answer_error(context, read))
        return kj::READY_NOW;
    auto contents = context.getResults().initContents(static_cast<unsigned>(read->size()));
    for (unsigned i = 0; i < read->size(); ++i)
        contents.set(i, (*read)[i]);
    return kj::READY_NOW;
}

kj::Promise<void> AgentService::updateContainer(UpdateContainerContext context) {
    auto params = context.getParams();
    answer_error(context, containers_.update(params.getId(), params.getResources()));
    return kj::READY_NOW;
}

kj::Promise<void> AgentService::grow(GrowContext context) {
    auto params = context.getParams();
    return growth_.grow(params.getVcpus(), params.getMemoryMib(), params.getLimitMs())
        .then([context](Result<void> result) mutable { answer_error(context, result); });
}

kj::Promise<void> AgentService::awaitFileWatches(AwaitFileWatchesContext context) {
    bool all = context.getParams().getAll();
    allow_cancellation(context);
    return file_watches_.changes(all).then([context](FileWatches::Changes changes) mutable {
        auto added = context.getResults().initAdded(static_cast<unsigned>(changes.added.size()));
        for (unsigned i = 0; i < added.size(); ++i) {
            const auto& [id, path] = changes.added[i];
            added[i].setId(id);
            added[i].setPath(kj::StringPtr(path).asBytes());
        }
        auto removed = context.getResults().initRemoved(static_cast<unsigned>(changes.removed.size()));
        for (unsigned i = 0; i < removed.size(); ++i)
            removed.set(i, changes.removed[i]);
    });
}

kj::Promise<void> AgentService::tellFileEvents(TellFileEventsContext context) {
    return file_watches_.tell(context.getParams().getEvents()).then([context](Result<void> result) mutable {
        answer_error(context, result);
    });
}

kj::Promise<void> AgentService::setNetwork(SetNetworkContext context) {
    auto params = context.getParams();
    return network_.set(params.getNetwork(), params.getLimitMs())
        .then([context](Result<void> result) mutable { answer_error(context, result); });
}

kj::Promise<void> AgentService::nextNameQueries(NextNameQueriesContext context) {
    allow_cancellation(context);
    return names_.next().then([context](std::vector<NameRelay::Query> queries) mutable {
        auto list = context.getResults().initQueries(static_cast<unsigned>(queries.size()));
        for (unsigned i = 0; i < list.size(); ++i) {
            list[i].setId(queries[i].id);
            list[i].setOverTcp(queries[i].over_tcp);
            list[i].setMessage(
                kj::StringPtr(queries[i].message.c_str(), queries[i].message.size()).asBytes());
        }
    });
}

kj::Promise<void> AgentService::answerNameQuery(AnswerNameQueryContext context) {
    auto message = context.getParams().getMessage().asChars();
    names_.answer(context.getParams().getId(), std::string(message.begin(), message.size()));
    return kj::READY_NOW;
}

kj::Promise<void> AgentService::awaitOomKill(AwaitOomKillContext context) {
    auto params = context.getParams();
    allow_cancellation(context);
    return containers_.await_oom_kill(params.getId(), params.getSeen())
        .then([context](Result<uint64_t> kills) mutable {
            if (!answer_error(context, kills))
                context.getResults().setKills(*kills);
        });
}

} // namespace runvm::agent
