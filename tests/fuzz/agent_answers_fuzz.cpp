// libs: runvm_sandbox
// A hostile guest against the monitor: any bytes and any answers on its control and stream ports while the
// host makes calls. Every call ends in time, whatever is handed on is checked, and nothing is held or left
// for ever.

#include "support.h"

#include "channel/port.h"
#include "channel/rpc_error.h"
#include "sandbox/agent_session.h"
#include "sandbox/sandbox.h"

#include <capnp/rpc-twoparty.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <set>

namespace {

using namespace runvm;
using fuzz::require;
using Direction = protocol::StreamBinding::Direction;

constexpr size_t most_memory = 16U << 20U;
constexpr size_t most_streams = 40; // within the limit of descriptors
constexpr auto boot_limit = 60 * kj::SECONDS;
// The longest that any call may take: a boot, then the agent's limit.
constexpr auto longest_call = 100 * kj::SECONDS;
constexpr auto longest_goodbye = 20 * kj::SECONDS;

std::array<os::Fd, 2> socket_pair() {
    int ends[2];
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0,
            "socketpair works");
    return {os::Fd(ends[0]), os::Fd(ends[1])};
}

std::array<os::Fd, 2> pipe_pair() {
    int ends[2];
    require(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "pipe2 works");
    return {os::Fd(ends[0]), os::Fd(ends[1])};
}

/// Answers that no agent of ours gives, in well-formed messages.
class HostileAgent final : public protocol::Agent::Server {
public:
    explicit HostileAgent(FuzzedDataProvider& choices) : choices_(choices) {}

    kj::Promise<void> hello(HelloContext context) override {
        constexpr uint32_t seldom = 16;
        bool odd = choices_.ConsumeIntegralInRange<uint32_t>(0, seldom) == 1;
        context.getResults().setProtocolVersion(odd ? choices_.ConsumeIntegral<uint32_t>()
                                                    : protocol::AGENT_PROTOCOL_VERSION);
        return odd ? answer(context) : kj::READY_NOW;
    }
    kj::Promise<void> createContainer(CreateContainerContext context) override { return answer(context); }
    kj::Promise<void> startContainer(StartContainerContext context) override { return answer(context); }
    kj::Promise<void> exec(ExecContext context) override { return answer(context); }
    kj::Promise<void> signal(SignalContext context) override { return answer(context); }
    kj::Promise<void> resize(ResizeContext context) override { return answer(context); }
    kj::Promise<void> forgetProcess(ForgetProcessContext context) override { return answer(context); }
    kj::Promise<void> deleteContainer(DeleteContainerContext context) override { return answer(context); }
    kj::Promise<void> powerOff(PowerOffContext) override { return kj::READY_NOW; }
    kj::Promise<void> wait(WaitContext context) override {
        return later().then([this, context]() mutable {
            write_exit(context.getResults().initStatus());
            return answer(context);
        });
    }

    /// One call that waits is answered.
    void answer_one() {
        if (waiting_.empty())
            return;
        size_t which = choices_.ConsumeIntegralInRange<size_t>(0, waiting_.size() - 1);
        waiting_[which]->fulfill();
        waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(which));
    }

private:
    kj::Promise<void> later() {
        auto pair = kj::newPromiseAndFulfiller<void>();
        waiting_.push_back(kj::mv(pair.fulfiller));
        return kj::mv(pair.promise);
    }

    template <class Context>
    kj::Promise<void> answer(Context context) {
        switch (choices_.ConsumeIntegralInRange(0, 7)) {
        case 1:
            return kj::NEVER_DONE;
        case 2:
            return later();
        case 3:
            write_error(context.getResults().initError());
            return kj::READY_NOW;
        case 4:
            return kj::Exception(static_cast<kj::Exception::Type>(choices_.ConsumeIntegralInRange(0, 3)),
                                 "guest", 1, kj::heapString(text().c_str()));
        case 5:
            return later().then([this, context]() mutable { write_error(context.getResults().initError()); });
        default:
            return kj::READY_NOW;
        }
    }

    std::string text() {
        std::string piece = choices_.ConsumeRandomLengthString(32);
        size_t times = choices_.ConsumeBool() ? choices_.ConsumeIntegralInRange<size_t>(0, 2000) : 1;
        std::string whole;
        for (; times > 0; --times)
            whole += piece;
        return whole;
    }

    void write_error(protocol::Error::Builder error) {
        error.setFailed(choices_.ConsumeIntegralInRange(0, 7) != 1);
        error.setKind(choices_.ConsumeIntegral<uint16_t>());
        error.setErrnoValue(choices_.ConsumeIntegral<int32_t>());
        error.setMessage(text());
        std::string step = text();
        auto context = error.initContext(choices_.ConsumeIntegralInRange<uint32_t>(0, 40));
        for (unsigned i = 0; i < context.size(); ++i)
            context.set(i, step);
    }

    void write_exit(protocol::ExitStatus::Builder status) {
        status.setSignaled(choices_.ConsumeBool());
        status.setValue(choices_.ConsumeBool() ? choices_.ConsumeIntegral<uint32_t>()
                                               : choices_.ConsumeIntegralInRange<uint32_t>(0, 300));
        status.setOomKilled(choices_.ConsumeBool());
        auto streams = status.initStreams(choices_.ConsumeIntegralInRange<uint32_t>(0, 2000));
        auto first = choices_.ConsumeIntegralInRange<uint32_t>(0, 10);
        uint32_t step = choices_.ConsumeIntegralInRange<uint32_t>(0, 1);
        auto bytes = choices_.ConsumeIntegral<uint64_t>();
        for (unsigned i = 0; i < streams.size(); ++i) {
            streams[i].setStream(first + i * step);
            streams[i].setBytes(bytes);
        }
    }

    FuzzedDataProvider& choices_;
    std::vector<kj::Own<kj::PromiseFulfiller<void>>> waiting_;
};

/// The guest's ends of both ports. What is on the control port comes from a server whose messages may be
/// changed on their way, or is bytes alone.
class HostileGuest {
public:
    HostileGuest(kj::AsyncIoContext& io, FuzzedDataProvider& choices, os::Fd control, os::Fd streams)
        : choices_(choices), streams_(std::move(streams)) {
        constexpr int bytes_alone = 1;
        deaf_ = choices_.ConsumeIntegralInRange(0, 7) == 1;
        control_fd_ = control.get();
        control_ = channel::wrap_port(io.unixEventPort, std::move(control));
        if (choices_.ConsumeIntegralInRange(0, 3) == bytes_alone)
            return;
        auto agent = kj::heap<HostileAgent>(choices_);
        agent_ = agent.get();
        server_ = kj::heap<Server>(*control_, choices_, kj::mv(agent));
    }

    /// Reads what the host sent, which nobody wants. False when there was nothing.
    bool drain() {
        bool any = drain(streams_.get());
        return (server_.get() == nullptr && control_.get() != nullptr && drain(control_fd_)) || any;
    }

    void act() {
        switch (choices_.ConsumeIntegralInRange(0, 9)) {
        case 0:
        case 1:
            if (agent_ != nullptr)
                agent_->answer_one();
            break;
        case 2:
            send(control_fd_,
                 choices_.ConsumeBytes<uint8_t>(choices_.ConsumeIntegralInRange<size_t>(0, 256)));
            break;
        case 3:
            send(streams_.get(),
                 choices_.ConsumeBytes<uint8_t>(choices_.ConsumeIntegralInRange<size_t>(0, 64)));
            break;
        case 4:
            flood();
            break;
        case 5:
            close_control();
            break;
        case 6:
            streams_ = {};
            break;
        default:
            send(streams_.get(), frame());
            break;
        }
    }

    void close() {
        close_control();
        streams_ = {};
    }

private:
    struct Server {
        Server(kj::AsyncIoStream& stream, FuzzedDataProvider& choices, kj::Own<HostileAgent> agent)
            : messages(kj::heap<capnp::AsyncIoMessageStream>(stream), choices),
              network(messages, capnp::rpc::twoparty::Side::SERVER),
              rpc(capnp::makeRpcServer(network, protocol::Agent::Client(kj::mv(agent)))) {}

        fuzz::MangledMessages messages;
        capnp::TwoPartyVatNetwork network;
        capnp::RpcSystem<capnp::rpc::twoparty::VatId> rpc;
    };

    bool drain(int fd) const {
        std::array<uint8_t, 4096> buffer;
        bool any = false;
        while (!deaf_ && ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT) > 0)
            any = true;
        return any;
    }

    static void send(int fd, const std::vector<uint8_t>& bytes) {
        // What does not fit is lost.
        (void)::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    }

    /// A frame that is nearly right.
    std::vector<uint8_t> frame() {
        auto value = choices_.ConsumeIntegralInRange<uint32_t>(0, 70000);
        std::vector<uint8_t> bytes(channel::frame_header_bytes);
        bytes[0] = choices_.ConsumeIntegralInRange<uint8_t>(0, 8);
        bytes[4] = choices_.ConsumeIntegralInRange<uint8_t>(1, 6);
        bytes[8] = static_cast<uint8_t>(value);
        bytes[9] = static_cast<uint8_t>(value >> 8U);
        bytes[10] = static_cast<uint8_t>(value >> 16U);
        if (bytes[4] == static_cast<uint8_t>(channel::FrameType::data))
            bytes.resize(bytes.size() + value, 'x');
        return bytes;
    }

    void flood() {
        int fd = choices_.ConsumeBool() ? control_fd_ : streams_.get();
        auto piece = choices_.ConsumeBytes<uint8_t>(choices_.ConsumeIntegralInRange<size_t>(0, 64));
        std::vector<uint8_t> bytes;
        for (auto times = choices_.ConsumeIntegralInRange<size_t>(0, 1000); times > 0; --times)
            bytes.insert(bytes.end(), piece.begin(), piece.end());
        send(fd, bytes);
    }

    void close_control() {
        server_ = nullptr;
        agent_ = nullptr;
        control_ = nullptr;
        control_fd_ = -1;
    }

    FuzzedDataProvider& choices_;
    os::Fd streams_;
    kj::Own<kj::AsyncIoStream> control_;
    int control_fd_ = -1;
    HostileAgent* agent_ = nullptr; ///< the server's
    kj::Own<Server> server_;
    bool deaf_ = false;
};

/// VmMachine without its host parts.
class Machine final : public sandbox::Machine {
public:
    Machine(kj::AsyncIoContext& io, kj::Timer& timer, FuzzedDataProvider& choices)
        : io_(io), timer_(timer), choices_(choices) {}
    ~Machine() noexcept override = default; // kj's destructors may throw; ours may not

    kj::Own<HostileGuest> guest;

    void die() {
        if (guest.get() != nullptr)
            guest->close();
        if (on_death_)
            std::exchange(on_death_, nullptr)("the machine died");
    }

    kj::Promise<Result<std::unique_ptr<sandbox::Guest>>> boot(protocol::SandboxConfig::Reader) override {
        using Outcome = Result<std::unique_ptr<sandbox::Guest>>;
        auto control = socket_pair();
        auto streams = socket_pair();
        guest = kj::heap<HostileGuest>(io_, choices_, std::move(control[1]), std::move(streams[1]));
        session_ =
            kj::heap<sandbox::AgentSession>(channel::wrap_port(io_.unixEventPort, std::move(control[0])));
        auto port = channel::wrap_port(io_.unixEventPort, std::move(streams[0]));
        return timer_.timeoutAfter(boot_limit, session_->greet())
            .then(
                [this, port = kj::mv(port)](protocol::Agent::Client&& agent) mutable -> Outcome {
                    auto relay = std::make_unique<channel::StreamRelay>(io_.unixEventPort, kj::mv(port));
                    return std::make_unique<sandbox::Guest>(sandbox::Guest{kj::mv(agent), std::move(relay)});
                },
                [](kj::Exception&& exception) -> Outcome {
                    return channel::from_exception(exception, "boot");
                });
    }
    void on_death(std::function<void(std::string)> callback) override { on_death_ = std::move(callback); }
    kj::Promise<Result<void>> suspend() override { return in_a_while(); }
    kj::Promise<Result<void>> resume() override { return in_a_while(); }
    kj::Promise<Result<void>> destroy() override {
        return kj::evalLater([this]() -> Result<void> {
            die();
            return {};
        });
    }
    Result<void> attach_share(sandbox::ShareRequest) override { return {}; }
    Result<void> make_share_readonly(const std::string&, const std::string&) override { return {}; }
    void detach_shares(const std::string&) override {}
    std::string console_tail() const override { return {}; }
    pid_t qemu_pid() const override { return 0; }
    pid_t virtiofsd_pid() const override { return 0; }

private:
    kj::Promise<Result<void>> in_a_while() {
        return timer_.afterDelay(1 * kj::SECONDS).then([]() -> Result<void> { return {}; });
    }

    kj::AsyncIoContext& io_;
    kj::Timer& timer_;
    FuzzedDataProvider& choices_;
    std::function<void(std::string)> on_death_;
    kj::Own<sandbox::AgentSession> session_;
};

class Host final : private kj::TaskSet::ErrorHandler {
public:
    explicit Host(FuzzedDataProvider& choices) : choices_(choices) {}
    // The guest's calls outlive their connection, but not what they use.
    ~Host() noexcept { io_.waitScope.cancelAllDetached(); }
    KJ_DISALLOW_COPY(Host);

    void run() {
        sandbox_.creator_came();
        sandbox_.add_listener([](protocol::Event::Builder event) { check_event(event.asReader()); });
        capnp::MallocMessageBuilder message;
        auto config = message.initRoot<protocol::SandboxConfig>();
        config.setSandboxId("s");
        require(static_cast<bool>(sandbox_.boot(config)), "the first boot is accepted");
        while (!over_ && choices_.remaining_bytes() > 0) {
            act();
            settle();
        }
        finish();
    }

private:
    void taskFailed(kj::Exception&& exception) override {
        std::cerr << exception.getDescription().cStr() << "\n";
        require(false, "a call ends with a Result");
    }

    void finish() {
        creator_leaves();
        pass_time(longest_call);
        require(over_ || calls_under_way_ == 0, "every call ends");
        require(over_ || !idle(),
                "the monitor leaves with its last container, whatever the guest keeps open");
        machine_.guest->close();
        settle();
        // Without a container nothing looks at the control port, and a paused machine's end is libvirt's to
        // tell.
        machine_.die();
        pass_time(longest_goodbye);
        require(over_, "the monitor leaves when its machine is over");
        require(sandbox_.state() == protocol::SandboxState::STOPPED || sandbox_.ended_in_order(),
                "a machine that is over is stopped");
        for (const auto& [id, record] : sandbox_.containers())
            require(record.init->ended(), "no process outlives its machine");
    }

    void creator_leaves() {
        if (std::exchange(creator_is_here_, false))
            sandbox_.creator_left();
    }

    bool idle() const {
        if (!shims_.empty())
            return false;
        for (const auto& [id, record] : sandbox_.containers())
            if (!record.init->ended())
                return false;
        return true;
    }

    void pass_time(kj::Duration duration) {
        constexpr auto step = 5 * kj::SECONDS;
        for (auto passed = 0 * kj::SECONDS; passed < duration && !over_; passed += step) {
            timer_.advanceTo(timer_.now() + step);
            settle();
        }
    }

    void settle() {
        do {
            io_.waitScope.poll();
        } while (machine_.guest.get() != nullptr && machine_.guest->drain());
        memory_.check();
    }

    void act() {
        std::string id(1, static_cast<char>('a' + choices_.ConsumeIntegralInRange(0, 1)));
        switch (choices_.ConsumeIntegralInRange(0, 19)) {
        case 1:
        case 2:
            create(id);
            break;
        case 3:
            exec(id);
            break;
        case 4:
            call(sandbox_.start_container(id));
            break;
        case 5:
            call(sandbox_.signal(id, exec_id(), choices_.ConsumeBool() ? SIGKILL : SIGTERM,
                                 choices_.ConsumeBool()));
            break;
        case 6:
            call(sandbox_.resize(id, exec_id(), choices_.ConsumeIntegral<uint16_t>(), 80));
            break;
        case 7:
            call(sandbox_.delete_container(id));
            break;
        case 8:
            attach_shim(id);
            break;
        case 9:
            if (!shims_.empty())
                sandbox_.detach(shims_.back());
            if (!shims_.empty())
                shims_.pop_back();
            break;
        case 10:
            (void)sandbox_.commit(id);
            break;
        case 11:
            use_stream();
            break;
        case 12:
            timer_.advanceTo(timer_.now() + choices_.ConsumeIntegralInRange(1, 40) * kj::SECONDS);
            break;
        case 13:
            end_or_pause();
            break;
        default:
            machine_.guest->act();
            break;
        }
    }

    void end_or_pause() {
        switch (choices_.ConsumeIntegralInRange(0, 7)) {
        case 0:
            call(sandbox_.release());
            break;
        case 1:
            sandbox_.end("the caller's wish");
            break;
        case 2:
            machine_.die();
            break;
        case 3:
            creator_leaves();
            break;
        case 4:
            call(sandbox_.resume());
            break;
        default:
            call(sandbox_.pause());
            break;
        }
    }

    void create(const std::string& id) {
        capnp::MallocMessageBuilder message;
        auto container = message.initRoot<protocol::Container>();
        std::vector<sandbox::NewShare> shares(1);
        shares[0].request.container = id;
        shares[0].request.name = "rootfs";
        shares[0].readonly_when_created = choices_.ConsumeBool();
        call(sandbox_.create_container(id, container, std::move(shares), make_streams()));
    }

    void exec(const std::string& id) {
        capnp::MallocMessageBuilder message;
        call(sandbox_.exec(id, "e", message.initRoot<protocol::Process>(), "", make_streams()));
    }

    std::string exec_id() { return choices_.ConsumeBool() ? "e" : ""; }

    /// Of descriptors 0, 1 and 2 any; the shim's ends are kept.
    std::vector<sandbox::StreamEndpoint> make_streams() {
        std::vector<sandbox::StreamEndpoint> streams;
        auto wanted = choices_.ConsumeIntegralInRange<unsigned>(0, 7);
        if (shim_ends_.size() >= most_streams)
            return streams;
        if ((wanted & 1U) != 0) {
            auto input = pipe_pair();
            streams.push_back({0, Direction::TO_PROCESS, std::move(input[0])});
            shim_ends_.push_back(std::move(input[1]));
        }
        if ((wanted & 2U) != 0) {
            auto output = pipe_pair();
            streams.push_back({1, Direction::FROM_PROCESS, std::move(output[1])});
            shim_ends_.push_back(std::move(output[0]));
        }
        if ((wanted & 4U) != 0) {
            auto both = socket_pair();
            streams.push_back({2, Direction::BOTH, std::move(both[1])});
            shim_ends_.push_back(std::move(both[0]));
        }
        return streams;
    }

    void use_stream() {
        if (shim_ends_.empty())
            return;
        size_t which = choices_.ConsumeIntegralInRange<size_t>(0, shim_ends_.size() - 1);
        std::array<uint8_t, 8192> buffer{};
        switch (choices_.ConsumeIntegralInRange(0, 2)) {
        case 0:
            (void)::write(shim_ends_[which].get(), buffer.data(), buffer.size());
            break;
        case 1:
            (void)::read(shim_ends_[which].get(), buffer.data(), buffer.size());
            break;
        default:
            shim_ends_.erase(shim_ends_.begin() + static_cast<ptrdiff_t>(which));
            break;
        }
    }

    void attach_shim(const std::string& id) {
        ++calls_under_way_;
        tasks_.add(sandbox_.find_process(id, exec_id()).then([this](Result<sandbox::ProcessPtr>&& found) {
            --calls_under_way_;
            if (!found)
                return check_error(found.error());
            sandbox_.attach(**found);
            shims_.push_back(*found);
        }));
    }

    void call(sandbox::Promised<void> promise) {
        ++calls_under_way_;
        tasks_.add(promise.then([this](Result<void>&& answer) {
            --calls_under_way_;
            if (!answer)
                check_error(answer.error());
        }));
    }

    /// It goes to a person's terminal.
    static void check_error(const Error& error) {
        constexpr size_t most_bytes = 128U << 10U;
        require(error.kind() >= ErrorKind::internal && error.kind() <= ErrorKind::process_finished,
                "a known kind");
        require(error.errno_value() >= 0 && error.errno_value() <= 4095, "a number that errno can have");
        check_text(error.to_string());
        require(error.to_string().size() <= most_bytes, "an error is of bounded size");
    }

    static void check_text(const std::string& text) {
        for (char c : text)
            require(c == '\n' || (static_cast<uint8_t>(c) >= 0x20 && c != 0x7f), "an error is printable");
    }

    static void check_event(protocol::Event::Reader event) {
        constexpr uint32_t highest_signal = 64;
        constexpr uint32_t highest_code = 255;
        if (event.isVmExited())
            check_text(event.getVmExited().cStr());
        if (!event.isProcessExited())
            return;
        auto exit = event.getProcessExited();
        if (exit.getSignaled())
            require(exit.getValue() >= 1 && exit.getValue() <= highest_signal, "a signal's number");
        else
            require(exit.getValue() <= highest_code, "an exit code");
        std::set<uint32_t> seen;
        for (auto stream : exit.getStreams()) {
            require(stream.getStream() <= 2, "streams are named by the process's descriptor");
            require(seen.insert(stream.getStream()).second, "no stream ends twice");
        }
    }

    FuzzedDataProvider& choices_;
    fuzz::MemoryLimit memory_{most_memory};
    kj::AsyncIoContext io_ = kj::setupAsyncIo();
    kj::TimerImpl timer_{kj::origin<kj::TimePoint>()};
    std::vector<os::Fd> shim_ends_;
    bool over_ = false;
    bool creator_is_here_ = true;
    int calls_under_way_ = 0;
    Machine machine_{io_, timer_, choices_};
    sandbox::Sandbox sandbox_{timer_, machine_, [this](const std::string& reason) {
                                  require(!std::exchange(over_, true), "the end is told once");
                                  check_text(reason);
                              }};
    std::vector<sandbox::ProcessPtr> shims_;
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
    kj::heap<Host>(choices)->run();
    require(fuzz::open_descriptors() == descriptors, "every descriptor is closed");
    return 0;
}
