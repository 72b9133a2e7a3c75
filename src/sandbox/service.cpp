#include "sandbox/service.h"

#include "channel/rpc_error.h"
#include "sandbox/holdings.h"

#include <capnp/rpc-twoparty.h>
#include <fcntl.h>

#include <algorithm>
#include <iterator>
#include <map>

namespace runvm::sandbox {

namespace {

constexpr uint64_t traversal_limit_words = 8U << 20U; // a config.json of 16 MiB and its kin
constexpr uint64_t flow_limit_words = 16U << 20U;
constexpr uint32_t max_shares = 4096;
constexpr auto accept_retry = 100 * kj::MILLISECONDS;

// Writes the outcome of a call into its results' `error`.
template <class Context>
void answer(Context& context, const Result<void>& result) {
    if (!result)
        channel::write_error(result.error(), context.getResults().getError());
}

template <class Context>
kj::Promise<void> answer_later(Context context, Promised<void> promise) {
    return promise.then([context](Result<void>&& result) mutable { answer(context, result); });
}

// The fd of a Descriptor capability, duplicated: it belongs to us.
kj::Promise<os::Fd> take_fd(protocol::Descriptor::Client descriptor) {
    auto promise = descriptor.getFd();
    return promise.then([descriptor = kj::mv(descriptor)](kj::Maybe<int> fd) mutable {
        KJ_IF_MAYBE (number, fd)
            return os::duplicate(*number);
        return os::Fd();
    });
}

Promised<std::vector<StreamEndpoint>> take_streams(capnp::List<protocol::StreamFd>::Reader list) {
    auto fds = kj::heapArrayBuilder<kj::Promise<os::Fd>>(list.size());
    std::vector<StreamEndpoint> endpoints;
    for (auto stream : list) {
        endpoints.push_back({stream.getFd(), stream.getDirection(), {}});
        fds.add(take_fd(stream.getEnd()));
    }
    return kj::joinPromises(fds.finish())
        .then([endpoints = std::move(endpoints)](
                  kj::Array<os::Fd>&& taken) mutable -> Result<std::vector<StreamEndpoint>> {
            for (size_t i = 0; i < taken.size(); ++i) {
                if (!taken[i])
                    return Error(ErrorKind::invalid_argument, "a stream came without its descriptor");
                endpoints[i].end = kj::mv(taken[i]);
            }
            return std::move(endpoints);
        });
}

Promised<std::vector<NewShare>> take_shares(const std::string& container,
                                            capnp::List<protocol::Share>::Reader list) {
    auto fds = kj::heapArrayBuilder<kj::Promise<os::Fd>>(list.size());
    std::vector<NewShare> shares;
    for (auto share : list) {
        NewShare wanted;
        wanted.request.container = container;
        wanted.request.name = share.getName().cStr();
        wanted.request.readonly = share.getReadonly();
        wanted.request.readonly_recursive = share.getReadonlyRecursive();
        wanted.readonly_when_created = share.getReadonlyWhenCreated();
        shares.push_back(std::move(wanted));
        fds.add(take_fd(share.getTree()));
    }
    return kj::joinPromises(fds.finish())
        .then(
            [shares = std::move(shares)](kj::Array<os::Fd>&& taken) mutable -> Result<std::vector<NewShare>> {
                for (size_t i = 0; i < taken.size(); ++i) {
                    if (!taken[i])
                        return Error(ErrorKind::invalid_argument, "a share came without its tree");
                    shares[i].request.tree = kj::mv(taken[i]);
                }
                return std::move(shares);
            });
}

class AttachedProcessServer final : public protocol::AttachedProcess::Server {
public:
    AttachedProcessServer(Sandbox& sandbox, ProcessPtr process)
        : sandbox_(sandbox), process_(std::move(process)) {}

    kj::Promise<void> wait(WaitContext context) override {
        return process_->when_ended().then([this, context]() mutable {
            write_exit(process_->exit(), context.getResults().initStatus());
            context.getResults().setToldToEnd(process_->told_to_end);
        });
    }

    kj::Promise<void> signal(SignalContext context) override {
        return answer_later(context, sandbox_.signal(process_->container_id, process_->exec_id,
                                                     context.getParams().getSignal(), false));
    }

    kj::Promise<void> winsize(WinsizeContext context) override {
        auto params = context.getParams();
        return answer_later(context, sandbox_.resize(process_->container_id, process_->exec_id,
                                                     params.getHeight(), params.getWidth()));
    }

private:
    Sandbox& sandbox_;
    ProcessPtr process_;
};

class SandboxServer final : public protocol::Sandbox::Server {
public:
    SandboxServer(Sandbox& sandbox, std::shared_ptr<Holdings> holdings)
        : sandbox_(sandbox), holdings_(std::move(holdings)) {}

    kj::Promise<void> status(StatusContext context) override;
    kj::Promise<void> pause(PauseContext context) override { return answer_later(context, sandbox_.pause()); }
    kj::Promise<void> resume(ResumeContext context) override {
        return answer_later(context, sandbox_.resume());
    }
    kj::Promise<void> release(ReleaseContext context) override {
        return answer_later(context, sandbox_.release());
    }
    kj::Promise<void> delete_(DeleteContext) override {
        sandbox_.end("deleted");
        return kj::READY_NOW;
    }
    kj::Promise<void> updateContainer(UpdateContainerContext context) override {
        auto params = context.getParams();
        return answer_later(context, sandbox_.update_container(params.getId().cStr(), params.getResources()));
    }
    kj::Promise<void> pauseContainer(PauseContainerContext context) override {
        return answer_later(context, sandbox_.pause_container(context.getParams().getId().cStr()));
    }
    kj::Promise<void> resumeContainer(ResumeContainerContext context) override {
        return answer_later(context, sandbox_.resume_container(context.getParams().getId().cStr()));
    }
    kj::Promise<void> listProcesses(ListProcessesContext context) override;
    kj::Promise<void> readCgroup(ReadCgroupContext context) override;
    kj::Promise<void> monitor(MonitorContext context) override;
    kj::Promise<void> setNetwork(SetNetworkContext context) override;
    kj::Promise<void> addDescriptors(AddDescriptorsContext context) override;
    kj::Promise<void> createContainer(CreateContainerContext context) override {
        auto params = context.getParams();
        Offer offer = take_offer(params.getId().cStr(), "");
        return answer_later(context,
                            sandbox_.create_container(params.getId().cStr(), params.getContainer(),
                                                      std::move(offer.shares), std::move(offer.streams)));
    }
    kj::Promise<void> commit(CommitContext context) override {
        answer(context, holdings_->joins.commit(context.getParams().getId().cStr()));
        return kj::READY_NOW;
    }
    kj::Promise<void> join(JoinContext context) override {
        answer(context, holdings_->joins.join(context.getParams().getId().cStr()));
        return kj::READY_NOW;
    }
    kj::Promise<void> startContainer(StartContainerContext context) override {
        auto params = context.getParams();
        return answer_later(context, sandbox_.start_container(params.getId().cStr(), params.getHooksMs()));
    }
    kj::Promise<void> deleteContainer(DeleteContainerContext context) override {
        return answer_later(context, sandbox_.delete_container(context.getParams().getId().cStr()));
    }
    kj::Promise<void> statusContainer(StatusContainerContext context) override;
    kj::Promise<void> enterContainer(EnterContainerContext context) override {
        auto params = context.getParams();
        Offer offer = take_offer(params.getId().cStr(), params.getExecId().cStr());
        return answer_later(context, sandbox_.exec(params.getId().cStr(), params.getExecId().cStr(),
                                                   params.getProcess(), params.getCgroup().cStr(),
                                                   std::move(offer.streams)));
    }
    kj::Promise<void> waitProcess(WaitProcessContext context) override;
    kj::Promise<void> signalProcess(SignalProcessContext context) override {
        auto params = context.getParams();
        return answer_later(context, sandbox_.signal(params.getId().cStr(), params.getExecId().cStr(),
                                                     params.getSignal(), params.getAll()));
    }
    kj::Promise<void> winsizeProcess(WinsizeProcessContext context) override {
        auto params = context.getParams();
        return answer_later(context, sandbox_.resize(params.getId().cStr(), params.getExecId().cStr(),
                                                     params.getHeight(), params.getWidth()));
    }
    kj::Promise<void> attachProcess(AttachProcessContext context) override;

private:
    /// What addDescriptors brought for a process that is not made yet.
    struct Offer {
        std::vector<NewShare> shares;
        std::vector<StreamEndpoint> streams;
    };
    using ProcessName = std::pair<std::string, std::string>; ///< container, exec

    static Result<void> check_size(const Offer& offer, size_t more_shares, size_t more_streams);
    Result<void> add_to_offer(const ProcessName& name, Offer more);
    Offer take_offer(std::string id, std::string exec_id) {
        auto offer = offers_.extract({std::move(id), std::move(exec_id)});
        return offer ? std::move(offer.mapped()) : Offer{};
    }

    static void fill(const ContainerRecord& record, protocol::ContainerStatus::Builder out) {
        out.setId(record.id);
        out.setState(record.state());
        if (record.init->ended())
            write_exit(record.init->exit(), out.initExit());
    }

    Sandbox& sandbox_;
    std::shared_ptr<Holdings> holdings_;
    std::map<ProcessName, Offer> offers_;
};

kj::Promise<void> SandboxServer::status(StatusContext context) {
    auto results = context.getResults();
    results.setState(sandbox_.state());
    const auto& containers = sandbox_.containers();
    auto list = results.initContainers(containers.size());
    unsigned i = 0;
    for (const auto& [id, record] : containers)
        fill(record, list[i++]);
    results.setQemuPid(sandbox_.machine().qemu_pid());
    results.setVirtiofsdPid(sandbox_.machine().virtiofsd_pid());
    results.setMonitorPid(::getpid());
    results.setSandboxId(sandbox_.id());
    results.setConsoleTail(sandbox_.machine().console_tail());
    results.setBootMs(sandbox_.boot_ms());
    return kj::READY_NOW;
}

kj::Promise<void> SandboxServer::monitor(MonitorContext context) {
    // std::function copies what it holds, a capability does not like that.
    auto sink = std::make_shared<protocol::EventSink::Client>(context.getParams().getSink());
    auto over = kj::newPromiseAndFulfiller<void>();
    auto fulfiller = std::make_shared<kj::Own<kj::PromiseFulfiller<void>>>(kj::mv(over.fulfiller));
    uint64_t key = sandbox_.add_listener([sink, fulfiller](protocol::Event::Builder event) {
        auto request = sink->eventRequest();
        request.setEvent(event);
        bool last = event.isVmExited();
        request.send()
            .ignoreResult()
            .then(
                [fulfiller, last] {
                    if (last)
                        (*fulfiller)->fulfill();
                },
                [fulfiller](kj::Exception&& exception) { (*fulfiller)->reject(kj::mv(exception)); })
            .detach([](kj::Exception&&) {});
    });
    return over.promise.attach(kj::defer([this, key] { sandbox_.remove_listener(key); }));
}

Result<void> SandboxServer::check_size(const Offer& offer, size_t more_shares, size_t more_streams) {
    if (offer.shares.size() + more_shares > max_shares)
        return Error(ErrorKind::invalid_argument, "a container can have at most " +
                                                      std::to_string(max_shares) +
                                                      " bind mounts, with its root filesystem");
    if (offer.streams.size() + more_streams > protocol::MAX_STREAMS_PER_PROCESS)
        return Error(ErrorKind::invalid_argument, "a process can have at most " +
                                                      std::to_string(protocol::MAX_STREAMS_PER_PROCESS) +
                                                      " streams");
    return {};
}

Result<void> SandboxServer::add_to_offer(const ProcessName& name, Offer more) {
    Offer& offer = offers_[name];
    RUNVM_TRY(check_size(offer, more.shares.size(), more.streams.size()));
    std::move(more.shares.begin(), more.shares.end(), std::back_inserter(offer.shares));
    std::move(more.streams.begin(), more.streams.end(), std::back_inserter(offer.streams));
    return {};
}

kj::Promise<void> SandboxServer::addDescriptors(AddDescriptorsContext context) {
    auto params = context.getParams();
    ProcessName name{params.getId().cStr(), params.getExecId().cStr()};
    if (auto fits = check_size({}, params.getShares().size(), params.getStreams().size()); !fits) {
        answer(context, fits);
        return kj::READY_NOW;
    }
    auto taking_streams = take_streams(params.getStreams());
    auto done = take_shares(name.first, params.getShares())
                    .then([this, name, taking_streams = kj::mv(taking_streams)](
                              Result<std::vector<NewShare>>&& shares) mutable {
                        return taking_streams.then(
                            [this, name, shares = std::move(shares)](
                                Result<std::vector<StreamEndpoint>>&& streams) mutable -> Result<void> {
                                Offer more;
                                RUNVM_ASSIGN(more.shares, std::move(shares));
                                RUNVM_ASSIGN(more.streams, std::move(streams));
                                return add_to_offer(name, std::move(more));
                            });
                    });
    return answer_later(context, kj::mv(done));
}

kj::Promise<void> SandboxServer::setNetwork(SetNetworkContext context) {
    return take_fd(context.getParams().getNamespace()).then([this, context](os::Fd&& space) mutable {
        if (!space)
            answer(context,
                   Error(ErrorKind::invalid_argument, "the network namespace's descriptor is missing"));
        else
            answer(context, sandbox_.set_network(kj::mv(space)));
    });
}

kj::Promise<void> SandboxServer::statusContainer(StatusContainerContext context) {
    auto found = sandbox_.containers().find(context.getParams().getId().cStr());
    if (found == sandbox_.containers().end())
        answer(context, Error(ErrorKind::not_found, "the sandbox has no such container"));
    else
        fill(found->second, context.getResults().initStatus());
    return kj::READY_NOW;
}

kj::Promise<void> SandboxServer::listProcesses(ListProcessesContext context) {
    return sandbox_.list_processes(context.getParams().getId().cStr())
        .then([context](Result<kj::Own<Processes>>&& processes) mutable {
            if (!processes) {
                answer(context, std::move(processes).error());
                return;
            }
            auto found = (*processes)->get();
            context.getResults().setProcesses(found.getProcesses());
            context.getResults().setMemoryBytes(found.getMemoryBytes());
        });
}

kj::Promise<void> SandboxServer::readCgroup(ReadCgroupContext context) {
    auto params = context.getParams();
    std::vector<std::string> names;
    for (auto name : params.getNames())
        names.emplace_back(name.cStr());
    return sandbox_.read_cgroup(params.getId().cStr(), names)
        .then([context](Result<std::vector<std::string>>&& contents) mutable {
            if (!contents) {
                answer(context, std::move(contents).error());
                return;
            }
            auto list = context.getResults().initContents(static_cast<unsigned>(contents->size()));
            for (unsigned i = 0; i < contents->size(); ++i)
                list.set(i, (*contents)[i]);
        });
}

kj::Promise<void> SandboxServer::waitProcess(WaitProcessContext context) {
    auto params = context.getParams();
    return sandbox_.find_process(params.getId().cStr(), params.getExecId().cStr())
        .then([context](Result<ProcessPtr>&& found) mutable -> kj::Promise<void> {
            if (!found) {
                answer(context, std::move(found).error());
                return kj::READY_NOW;
            }
            ProcessPtr process = *found;
            return process->when_ended().then([context, process]() mutable {
                write_exit(process->exit(), context.getResults().initStatus());
            });
        });
}

kj::Promise<void> SandboxServer::attachProcess(AttachProcessContext context) {
    auto params = context.getParams();
    return sandbox_.find_process(params.getId().cStr(), params.getExecId().cStr())
        .then([this, context](Result<ProcessPtr>&& found) mutable {
            if (!found) {
                answer(context, std::move(found).error());
                return;
            }
            holdings_->attachments.attach(*found);
            context.getResults().setProcess(kj::heap<AttachedProcessServer>(sandbox_, *found));
        });
}

class ServiceServer final : public protocol::SandboxService::Server {
public:
    ServiceServer(Sandbox& sandbox, bool creator) : sandbox_(sandbox), creator_(creator) {
        if (creator_)
            sandbox_.creator_came();
    }
    /// The connection is lost, or was closed.
    ~ServiceServer() noexcept(false) {
        holdings_->attachments.detach_all();
        holdings_->joins.abandon();
        if (creator_)
            sandbox_.creator_left();
    }

    kj::Promise<void> createSandbox(CreateSandboxContext context) override {
        auto result = sandbox_.boot(context.getParams().getConfig());
        answer(context, result);
        if (result) {
            context.getResults().setSandbox(kj::heap<SandboxServer>(sandbox_, holdings_));
        }
        return kj::READY_NOW;
    }

    kj::Promise<void> fetchSandbox(FetchSandboxContext context) override {
        std::string id = context.getParams().getId().cStr();
        bool there =
            sandbox_.state() != protocol::SandboxState::CREATED && (id.empty() || id == sandbox_.id());
        if (there)
            context.getResults().setSandbox(kj::heap<SandboxServer>(sandbox_, holdings_));
        else
            answer(context, Error(ErrorKind::not_found, "this monitor has no such sandbox"));
        return kj::READY_NOW;
    }

    kj::Promise<void> listSandboxes(ListSandboxesContext context) override {
        bool there = sandbox_.state() != protocol::SandboxState::CREATED;
        auto ids = context.getResults().initIds(there ? 1 : 0);
        if (there)
            ids.set(0, sandbox_.id());
        return kj::READY_NOW;
    }

private:
    Sandbox& sandbox_;
    bool creator_;
    std::shared_ptr<Holdings> holdings_ = std::make_shared<Holdings>(sandbox_);
};

capnp::ReaderOptions reader_options() {
    capnp::ReaderOptions options;
    options.traversalLimitInWords = traversal_limit_words;
    return options;
}

} // namespace

struct Server::Connection {
    Connection(kj::Own<kj::AsyncCapabilityStream> connected, Sandbox& sandbox, bool creator)
        : stream(kj::mv(connected)), network(*stream, protocol::MAX_FDS_PER_MESSAGE,
                                             capnp::rpc::twoparty::Side::SERVER, reader_options()),
          rpc(capnp::makeRpcServer(network, kj::heap<ServiceServer>(sandbox, creator))) {
        rpc.setFlowLimit(flow_limit_words);
    }

    kj::Own<kj::AsyncCapabilityStream> stream;
    capnp::TwoPartyVatNetwork network;
    capnp::RpcSystem<capnp::rpc::twoparty::VatId> rpc;
};

Server::Server(Sandbox& sandbox, kj::LowLevelAsyncIoProvider& io)
    : sandbox_(sandbox), io_(io), tasks_(*this) {}

Server::~Server() = default;

// A caller that broke off is its own business; its capabilities were dropped with its connection.
void Server::taskFailed(kj::Exception&&) {}

void Server::serve(kj::Own<kj::AsyncCapabilityStream> stream, bool creator) {
    auto connection = kj::heap<Connection>(kj::mv(stream), sandbox_, creator);
    auto over = connection->network.onDisconnect();
    tasks_.add(over.attach(kj::mv(connection)));
}

void Server::serve_creator(os::Fd socket) {
    serve(io_.wrapUnixSocketFd(kj::AutoCloseFd(socket.release())), true);
}

void Server::listen(os::Fd socket) {
    auto receiver = io_.wrapListenSocketFd(kj::AutoCloseFd(socket.release()),
                                           kj::LowLevelAsyncIoProvider::NetworkFilter::getAllAllowed());
    tasks_.add(accept_all(kj::mv(receiver)));
}

kj::Promise<void> Server::accept_all(kj::Own<kj::ConnectionReceiver> receiver) {
    // It throws at once when the connection before took the last descriptor.
    auto accepted = kj::evalNow([&receiver] { return receiver->accept(); });
    return accepted
        .then([this](kj::Own<kj::AsyncIoStream>&& stream) -> kj::Promise<void> {
            serve(stream.downcast<kj::AsyncCapabilityStream>(), false);
            return kj::READY_NOW;
        })
        // No descriptor was free: the caller waits until one is.
        .catch_([this](kj::Exception&&) { return io_.getTimer().afterDelay(accept_retry); })
        .then([this, receiver = kj::mv(receiver)]() mutable { return accept_all(kj::mv(receiver)); });
}

} // namespace runvm::sandbox
