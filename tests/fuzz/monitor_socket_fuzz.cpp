// libs: runvm_sandbox
// The monitor's socket: any bytes, changed messages, and well-formed calls with any parameters and
// descriptors, on several connections that come and go. Every call ends, no container or exec stays
// half-made, and nothing is held.

#include "../unit/sandbox/fake_guest.h"
#include "support.h"

#include "sandbox/service.h"
#include "state/store.h"

#include <capnp/rpc-twoparty.h>
#include <capnp/serialize-async.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>

namespace {

using namespace runvm;
using fuzz::require;

// A connection may hold a message of 64 MiB, and there are few of them here.
constexpr size_t most_memory = 384U << 20U;
constexpr size_t most_connections = 4;
// The longest that any call may take, and that a shim may keep a monitor whose machine is over.
constexpr auto longest_call = 100 * kj::SECONDS;
constexpr auto longest_goodbye = 20 * kj::SECONDS;

class Descriptor final : public protocol::Descriptor::Server {
public:
    explicit Descriptor(os::Fd fd) : fd_(std::move(fd)) {}
    kj::Maybe<int> getFd() override {
        if (fd_)
            return fd_.get();
        return nullptr;
    }

private:
    os::Fd fd_;
};

class Sink final : public protocol::EventSink::Server {
public:
    explicit Sink(int behaviour) : behaviour_(behaviour) {}
    kj::Promise<void> event(EventContext) override {
        switch (behaviour_) {
        case 1:
            return kj::NEVER_DONE;
        case 2:
            return KJ_EXCEPTION(FAILED, "no more events, please");
        default:
            return kj::READY_NOW;
        }
    }

private:
    int behaviour_;
};

/// A caller that speaks the protocol, more or less.
struct Client {
    Client(kj::AsyncIoContext& io, FuzzedDataProvider& choices, os::Fd socket)
        : stream(io.lowLevelProvider->wrapUnixSocketFd(kj::AutoCloseFd(socket.release()))),
          messages(kj::heap<capnp::AsyncCapabilityMessageStream>(*stream), choices),
          network(messages, protocol::MAX_FDS_PER_MESSAGE, capnp::rpc::twoparty::Side::CLIENT),
          rpc(capnp::makeRpcClient(network)), service(bootstrap()) {}

    protocol::SandboxService::Client bootstrap() {
        capnp::MallocMessageBuilder message(8);
        auto vat = message.initRoot<capnp::rpc::twoparty::VatId>();
        vat.setSide(capnp::rpc::twoparty::Side::SERVER);
        return rpc.bootstrap(vat).castAs<protocol::SandboxService>();
    }

    kj::Own<kj::AsyncCapabilityStream> stream;
    fuzz::MangledMessages messages;
    capnp::TwoPartyVatNetwork network;
    capnp::RpcSystem<capnp::rpc::twoparty::VatId> rpc;
    protocol::SandboxService::Client service;
    kj::Maybe<protocol::Sandbox::Client> sandbox;
    kj::Maybe<protocol::AttachedProcess::Client> process;
};

/// One that has only bytes.
struct RawClient {
    os::Fd socket;

    void send(const std::vector<uint8_t>& bytes, const std::vector<os::Fd>& fds) const {
        std::array<uint8_t, CMSG_SPACE(sizeof(int) * 8)> control{};
        iovec piece{const_cast<uint8_t*>(bytes.data()), bytes.size()};
        msghdr message{};
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        if (!fds.empty()) {
            message.msg_control = control.data();
            message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
            cmsghdr* header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
            for (size_t i = 0; i < fds.size(); ++i)
                reinterpret_cast<int*>(CMSG_DATA(header))[i] = fds[i].get();
        }
        (void)::sendmsg(socket.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    void drain() const {
        std::array<uint8_t, 4096> buffer;
        while (::recv(socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0)
            ;
    }
};

class Monitor final : private kj::TaskSet::ErrorHandler {
public:
    explicit Monitor(FuzzedDataProvider& choices) : choices_(choices) {
        os::Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        address_.sun_family = AF_UNIX;
        // The kernel chooses an abstract name.
        require(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address_), sizeof(sa_family_t)) == 0,
                "bind");
        require(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address_), &address_size_) == 0,
                "name");
        require(::listen(listener.get(), most_connections) == 0, "listen");
        int ends[2];
        require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0,
                "socketpair");
        server_.serve_creator(os::Fd(ends[0]));
        server_.listen(std::move(listener));
        take(os::Fd(ends[1]));
    }

    // Calls outlive their connection, but not what they use.
    ~Monitor() noexcept { io_.waitScope.cancelAllDetached(); }
    KJ_DISALLOW_COPY(Monitor);

    void run() {
        constexpr int from_nothing = 1;
        if (choices_.ConsumeIntegralInRange(0, 3) != from_nothing)
            make_container();
        machine_.never_boots = choices_.ConsumeIntegralInRange(0, 15) == 1;
        while (!over_ && choices_.remaining_bytes() > 0) {
            act();
            settle();
        }
        finish();
    }

private:
    void taskFailed(kj::Exception&&) override {} // of calls whose connection or message broke

    void finish() {
        pass_time(longest_call);
        for (const auto& [id, record] : sandbox_.containers()) {
            require(static_cast<bool>(state::check_id(id)), "an id is a name");
            require(whole(*record.init) || machine_.never_boots, "no container stays half-made");
            for (const auto& [exec_id, process] : record.execs)
                require(whole(*process), "no exec stays half-made");
        }
        other_ends_.clear();
        clients_.clear();
        raw_clients_.clear();
        settle();
        for (const auto& [id, record] : sandbox_.containers())
            require(record.init->attached == 0, "a shim's end is noticed, whatever it waits for");
        check_that_it_serves();
        machine_.die("the machine died");
        pass_time(longest_goodbye);
        require(over_, "the monitor leaves when its machine is over");
    }

    void check_that_it_serves() {
        connect();
        if (over_ || clients_.empty())
            return; // this one has only bytes
        bool answered = false;
        tasks_.add(
            clients_[0]->service.listSandboxesRequest().send().ignoreResult().then([&] { answered = true; }));
        settle();
        require(answered, "the monitor goes on to serve its socket");
        clients_.clear();
    }

    static bool whole(const sandbox::Process& process) { return process.created || process.ended(); }

    void pass_time(kj::Duration duration) {
        constexpr auto step = 5 * kj::SECONDS;
        for (auto passed = 0 * kj::SECONDS; passed < duration && !over_; passed += step) {
            timer_.advanceTo(timer_.now() + step);
            settle();
        }
    }

    void settle() {
        io_.waitScope.poll();
        for (const RawClient& client : raw_clients_)
            client.drain();
        memory_.check();
    }

    /// What callers find most of the time.
    void make_container() {
        capnp::MallocMessageBuilder message;
        auto config = message.initRoot<protocol::SandboxConfig>();
        config.setSandboxId("a");
        require(static_cast<bool>(sandbox_.boot(config)), "the first boot is accepted");
        tasks_.add(
            sandbox_
                .create_container("a", message.getOrphanage().newOrphan<protocol::Container>().get(), {}, {})
                .ignoreResult());
        settle();
        for (auto& client : clients_)
            fetch_sandbox(*client);
    }

    void fetch_sandbox(Client& client) {
        auto request = client.service.fetchSandboxRequest();
        request.setId(choices_.ConsumeBool() ? text() : "");
        auto call = request.send();
        client.sandbox = call.getSandbox();
        send(kj::mv(call));
    }

    void take(os::Fd socket) {
        if (choices_.ConsumeIntegralInRange(0, 3) == 1) {
            raw_clients_.push_back({std::move(socket)});
            return;
        }
        clients_.push_back(kj::heap<Client>(io_, choices_, std::move(socket)));
        fetch_sandbox(*clients_.back());
    }

    void connect() {
        if (clients_.size() + raw_clients_.size() >= most_connections)
            return;
        os::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address_), address_size_) == 0)
            take(std::move(socket));
    }

    void disconnect() {
        if (choices_.ConsumeBool() && !clients_.empty())
            clients_.erase(clients_.begin() + static_cast<ptrdiff_t>(index_of(clients_)));
        else if (!raw_clients_.empty())
            raw_clients_.erase(raw_clients_.begin() + static_cast<ptrdiff_t>(index_of(raw_clients_)));
    }

    template <class List>
    size_t index_of(const List& list) {
        return choices_.ConsumeIntegralInRange<size_t>(0, list.size() - 1);
    }

    void act() {
        switch (choices_.ConsumeIntegralInRange(0, 15)) {
        case 1:
            connect();
            break;
        case 2:
            disconnect();
            break;
        case 3:
            send_bytes();
            break;
        case 4:
            change_guest();
            break;
        case 5:
            timer_.advanceTo(timer_.now() + choices_.ConsumeIntegralInRange(1, 40) * kj::SECONDS);
            break;
        case 6:
            if (!clients_.empty())
                call_service(*clients_[index_of(clients_)]);
            break;
        case 7:
            if (!clients_.empty())
                call_process(*clients_[index_of(clients_)]);
            break;
        default:
            if (!clients_.empty())
                call_sandbox(*clients_[index_of(clients_)]);
            break;
        }
    }

    void send_bytes() {
        if (raw_clients_.empty())
            return;
        std::vector<os::Fd> fds;
        for (int count = choices_.ConsumeIntegralInRange(0, 8); count > 0; --count)
            if (os::Fd fd = any_fd())
                fds.push_back(std::move(fd));
        raw_clients_[index_of(raw_clients_)].send(
            choices_.ConsumeBytes<uint8_t>(choices_.ConsumeIntegralInRange<size_t>(0, 256)), fds);
    }

    void change_guest() {
        constexpr std::array<const char*, 6> calls = {"createContainer", "startContainer", "exec",
                                                      "signal",          "resize",         "deleteContainer"};
        const char* name = calls[choices_.ConsumeIntegralInRange<size_t>(0, calls.size() - 1)];
        switch (choices_.ConsumeIntegralInRange(0, 6)) {
        case 0:
            script_.errors.emplace(name, Error(ErrorKind::system, text()));
            break;
        case 1:
            script_.silent.insert(name);
            break;
        case 2:
            script_.errors.clear();
            script_.silent.clear();
            break;
        case 3:
            machine_.share_error = Error(ErrorKind::system, "no tree");
            break;
        case 4:
            machine_.die("the machine died early");
            break;
        default:
            script_.exit_value = choices_.ConsumeIntegral<uint8_t>();
            for (auto& [process, fulfiller] : script_.waiting)
                fulfiller->fulfill();
            break;
        }
    }

    std::string text() {
        constexpr size_t long_text = 5000;
        switch (choices_.ConsumeIntegralInRange(0, 7)) {
        case 1:
            return choices_.ConsumeRandomLengthString(16);
        case 2:
            return std::string(long_text, 'x');
        case 3:
            return "";
        case 4:
            return "../a";
        case 5:
            return "b";
        default:
            return "a";
        }
    }

    /// What a stream or a share may be, and what it may not.
    os::Fd any_fd() {
        // Too many open descriptors are a case like any other.
        int ends[2] = {-1, -1};
        switch (choices_.ConsumeIntegralInRange(0, 7)) {
        case 1:
            if (::pipe2(ends, O_CLOEXEC) == 0)
                std::swap(ends[0], ends[1]);
            break;
        case 2:
            (void)::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
            break;
        case 3:
            return os::Fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
        case 4:
            return os::Fd(::memfd_create("file", MFD_CLOEXEC));
        case 5:
            return os::Fd(::open("/", O_PATH | O_CLOEXEC));
        case 6:
            return os::Fd();
        default:
            (void)::pipe2(ends, O_CLOEXEC);
            break;
        }
        os::Fd other(ends[1]);
        if (choices_.ConsumeBool())
            other_ends_.push_back(std::move(other));
        return os::Fd(ends[0]);
    }

    protocol::Descriptor::Client descriptor(Client& client) {
        switch (choices_.ConsumeIntegralInRange(0, 7)) {
        case 1:
            return nullptr;
        case 2:
            return client.service.castAs<protocol::Descriptor>();
        case 3:
            return kj::Promise<protocol::Descriptor::Client>(kj::NEVER_DONE);
        default:
            return kj::heap<Descriptor>(any_fd());
        }
    }

    void fill(capnp::List<protocol::StreamFd>::Builder streams, Client& client) {
        for (auto stream : streams) {
            if (choices_.remaining_bytes() == 0)
                return;
            stream.setFd(choices_.ConsumeIntegralInRange<uint32_t>(0, 4));
            stream.setDirection(
                static_cast<protocol::StreamBinding::Direction>(choices_.ConsumeIntegralInRange(0, 4)));
            stream.setEnd(descriptor(client));
        }
    }

    void fill(capnp::List<protocol::Share>::Builder shares, Client& client) {
        for (auto share : shares) {
            if (choices_.remaining_bytes() == 0)
                return;
            share.setName(text());
            share.setTree(descriptor(client));
            share.setReadonly(choices_.ConsumeBool());
            share.setReadonlyWhenCreated(choices_.ConsumeBool());
        }
    }

    /// Usually a handful, seldom more than is allowed.
    uint32_t count() {
        constexpr uint32_t too_many = 5000;
        auto wanted = choices_.ConsumeIntegralInRange<uint32_t>(0, 32);
        return wanted < 32 ? wanted / 8 : too_many;
    }

    template <class T>
    void send(capnp::RemotePromise<T> call) {
        tasks_.add(call.ignoreResult());
    }

    void call_service(Client& client) {
        switch (choices_.ConsumeIntegralInRange(0, 3)) {
        case 1:
            fetch_sandbox(client);
            break;
        case 2:
            send(client.service.listSandboxesRequest().send());
            break;
        default: {
            auto request = client.service.createSandboxRequest();
            auto config = request.initConfig();
            config.setSandboxId(text());
            config.setAgentTimeoutMs(choices_.ConsumeIntegralInRange<uint32_t>(0, 30000));
            auto call = request.send();
            client.sandbox = call.getSandbox();
            send(kj::mv(call));
            break;
        }
        }
    }

    void call_process(Client& client) {
        KJ_IF_MAYBE (process, client.process) {
            switch (choices_.ConsumeIntegralInRange(0, 3)) {
            case 1: {
                auto request = process->signalRequest();
                request.setSignal(choices_.ConsumeIntegral<int32_t>());
                send(request.send());
                break;
            }
            case 2:
                send(process->winsizeRequest().send());
                break;
            case 3:
                client.process = nullptr;
                break;
            default:
                send(process->waitRequest().send());
                break;
            }
        }
    }

    void call_sandbox(Client& client) {
        KJ_IF_MAYBE (sandbox, client.sandbox)
            call_sandbox(client, *sandbox);
    }

    /// A call that has only an id.
    template <class Request>
    void send_with_id(Request request) {
        request.setId(text());
        send(request.send());
    }

    /// A call for one process.
    template <class Request>
    void send_with_ids(Request request) {
        request.setExecId(choices_.ConsumeBool() ? "" : text());
        send_with_id(kj::mv(request));
    }

    void call_sandbox(Client& client, protocol::Sandbox::Client& sandbox) {
        switch (choices_.ConsumeIntegralInRange(0, 19)) {
        case 0:
            return send(sandbox.statusRequest().send());
        case 1:
            return send(sandbox.pauseRequest().send());
        case 2:
            return send(sandbox.resumeRequest().send());
        case 3:
            return send(sandbox.releaseRequest().send());
        case 4:
            return send(sandbox.deleteRequest().send());
        case 5: {
            auto request = sandbox.monitorRequest();
            if (int behaviour = choices_.ConsumeIntegralInRange(0, 3); behaviour < 3)
                request.setSink(kj::heap<Sink>(behaviour));
            return send(request.send());
        }
        case 6:
            return send_with_id(sandbox.commitRequest());
        case 7:
            return send_with_id(sandbox.startContainerRequest());
        case 8:
            return send_with_id(sandbox.deleteContainerRequest());
        case 9:
            return send_with_id(sandbox.statusContainerRequest());
        case 10:
        case 15:
        case 16: {
            auto request = sandbox.enterContainerRequest();
            request.initProcess().setCwd(text());
            fill(request.initStreams(count()), client);
            return send_with_ids(kj::mv(request));
        }
        case 11:
            return send_with_ids(sandbox.waitProcessRequest());
        case 12:
            return send_with_ids(sandbox.signalProcessRequest());
        case 13:
            return send_with_ids(sandbox.winsizeProcessRequest());
        case 14: {
            auto request = sandbox.attachProcessRequest();
            request.setId(text());
            request.setExecId(choices_.ConsumeBool() ? "" : text());
            auto call = request.send();
            client.process = call.getProcess();
            return send(kj::mv(call));
        }
        default: {
            auto request = sandbox.createContainerRequest();
            request.initContainer().initProcess().setCwd(text());
            fill(request.initShares(count()), client);
            fill(request.initStreams(count()), client);
            request.setId(choices_.ConsumeBool() ? text() : "b");
            return send(request.send());
        }
        }
    }

    FuzzedDataProvider& choices_;
    fuzz::MemoryLimit memory_{most_memory};
    kj::AsyncIoContext io_ = kj::setupAsyncIo();
    kj::TimerImpl timer_{kj::origin<kj::TimePoint>()};
    sockaddr_un address_{};
    socklen_t address_size_ = sizeof address_;
    std::vector<os::Fd> other_ends_;
    bool over_ = false;
    sandbox::AgentScript script_;
    sandbox::FakeMachine machine_{io_, script_};
    sandbox::Sandbox sandbox_{timer_, machine_, [this](const std::string&) {
                                  require(!std::exchange(over_, true), "the end is told once");
                              }};
    sandbox::Server server_{sandbox_, *io_.lowLevelProvider};
    std::vector<RawClient> raw_clients_;
    std::vector<kj::Own<Client>> clients_;
    kj::TaskSet tasks_{*this};
};

} // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    fuzz::set_up_process();
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::QuietKj quiet;
    FuzzedDataProvider choices(data, size);
    int descriptors = fuzz::open_descriptors();
    kj::heap<Monitor>(choices)->run();
    require(fuzz::open_descriptors() == descriptors, "every descriptor is closed");
    return 0;
}
