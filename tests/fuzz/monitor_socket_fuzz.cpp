// libs: runvm_sandbox
// The monitor's socket: any bytes, changed messages, and well-formed calls with any parameters and
// descriptors, on several connections that come and go, while descriptors are free and while they are not.
// Every call ends, what lacks its descriptor is refused, no container or exec stays half-made, no container
// is made twice, and nothing is held.

#include "../unit/support/fake_guest.h"
#include "monitor_socket/calls.h"
#include "monitor_socket/clients.h"
#include "monitor_socket/parameters.h"
#include "monitor_socket/simulated_io.h"
#include "support.h"

#include "sandbox/service.h"
#include "state/store.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace runvm;
using namespace runvm::fuzz;

// A connection may hold a message of 64 MiB, and there are few of them here.
constexpr size_t most_memory = 384U << 20U;
constexpr size_t most_connections = 4;
// The longest that any call may take, and that a shim may keep a monitor whose machine is over.
constexpr auto longest_call = 100 * kj::SECONDS;
constexpr auto longest_goodbye = 20 * kj::SECONDS;

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
        auto creator = socket_pair();
        server_.serve_creator(std::move(creator[0]));
        server_.listen(std::move(listener));
        take(std::move(creator[1]));
    }

    // Calls outlive their connection, but not what they use.
    ~Monitor() noexcept { io_.waitScope.cancelAllDetached(); }
    KJ_DISALLOW_COPY(Monitor);

    void run() {
        constexpr int from_nothing = 1;
        constexpr int of_any_size = 2;
        int start = choices_.ConsumeIntegralInRange(0, 3);
        if (start != from_nothing)
            make_container(start == of_any_size);
        machine_.never_boots = choices_.ConsumeIntegralInRange(0, 15) == 1;
        while (!over_ && choices_.remaining_bytes() > 0) {
            act();
            settle();
        }
        finish();
    }

private:
    void taskFailed(kj::Exception&&) override {} // of the container that comes first

    void finish() {
        held_.clear();
        pass_time(longest_call);
        int awaiting_resume = 0;
        for (const auto& [id, record] : sandbox_.containers()) {
            require(static_cast<bool>(state::check_id(id)), "an id is a name");
            require(whole(*record.init) || waits_for_boot(), "no container stays half-made");
            for (const auto& [exec_id, process] : record.execs) {
                bool waits = process->awaits_resume && !process->ended();
                require(!waits || record.paused, "an exec waits for a resume of a paused container only");
                require(whole(*process) || waits, "no exec stays half-made");
                awaiting_resume += waits ? 1 : 0;
            }
        }
        check_that_calls_ended(awaiting_resume);
        parameters_.close_other_ends();
        settle();
        check_that_it_serves(); // while there is a creator: the sandbox may end with it
        clients_.clear();
        raw_clients_.clear();
        settle();
        for (const auto& [id, record] : sandbox_.containers())
            require(record.init->attached == 0, "a shim's end is noticed, whatever it waits for");
        check_guest_calls();
        check_that_it_serves();
        machine_.die("the machine died");
        pass_time(longest_goodbye);
        require(over_, "the monitor leaves when its machine is over");
    }

    void check_that_calls_ended(int awaiting_resume) const {
        if (over_ || waits_for_boot())
            return;
        for (const auto& client : clients_) {
            if (!client->is_owed_answers())
                continue;
            require(client->calls_under_way == 0, "every call ends");
            require(client->attaches_under_way == 0 || sandbox_.awaits_creator(),
                    "every shim comes to its process, or hears that there is none");
            awaiting_resume -= client->execs_under_way;
        }
        require(awaiting_resume >= 0, "every exec ends, or waits for a resume");
    }

    /// A guest has a container until it was asked to delete it.
    void check_guest_calls() const {
        const std::string create = "createContainer ";
        const std::string remove = "deleteContainer ";
        std::set<std::string> there;
        for (const std::string& call : script_.calls) {
            if (call.rfind(create, 0) == 0)
                require(there.insert(call.substr(create.size())).second, "no container is made twice");
            else if (call.rfind(remove, 0) == 0)
                there.erase(call.substr(remove.size()));
        }
    }

    void check_that_it_serves() {
        if (over_)
            return;
        os::Fd socket = connected_socket();
        require(static_cast<bool>(socket), "the monitor goes on to listen");
        Client client(io_, choices_, std::move(socket));
        bool answered = false;
        client.calls.add(
            client.service.listSandboxesRequest().send().ignoreResult().then([&] { answered = true; }));
        settle();
        require(answered, "the monitor goes on to serve its socket");
    }

    /// It is the machine that limits a boot's time.
    bool waits_for_boot() const { return sandbox_.state() == protocol::SandboxState::BOOTING; }

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
    void make_container(bool of_any_size) {
        capnp::MallocMessageBuilder message;
        auto config = message.initRoot<protocol::SandboxConfig>();
        config.setSandboxId("a");
        if (of_any_size)
            parameters_.fill_sizes(config);
        if (auto booted = sandbox_.boot(config); !booted) {
            require(of_any_size, "the first boot is accepted");
            return;
        }
        tasks_.add(
            sandbox_
                .create_container("a", message.getOrphanage().newOrphan<protocol::Container>().get(), {}, {})
                .ignoreResult());
        settle();
        for (auto& client : clients_)
            calls_.fetch_sandbox(*client);
    }

    void take(os::Fd socket) {
        if (choices_.ConsumeIntegralInRange(0, 3) == 1) {
            raw_clients_.push_back({std::move(socket)});
            return;
        }
        clients_.push_back(kj::heap<Client>(io_, choices_, std::move(socket)));
        calls_.fetch_sandbox(*clients_.back());
    }

    os::Fd connected_socket() {
        os::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address_), address_size_) != 0)
            return {};
        return socket;
    }

    void connect() {
        if (clients_.size() + raw_clients_.size() >= most_connections)
            return;
        if (os::Fd socket = connected_socket())
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
                calls_.call_service(*clients_[index_of(clients_)]);
            break;
        case 7:
            if (!clients_.empty())
                calls_.call_process(*clients_[index_of(clients_)]);
            break;
        case 8:
            hold_descriptors();
            break;
        default:
            if (!clients_.empty())
                calls_.call_sandbox(*clients_[index_of(clients_)]);
            break;
        }
    }

    void send_bytes() {
        if (raw_clients_.empty())
            return;
        std::vector<os::Fd> fds;
        for (int count = choices_.ConsumeIntegralInRange(0, 8); count > 0; --count)
            if (os::Fd fd = parameters_.any_fd())
                fds.push_back(std::move(fd));
        raw_clients_[index_of(raw_clients_)].send(
            choices_.ConsumeBytes<uint8_t>(choices_.ConsumeIntegralInRange<size_t>(0, 256)), fds);
    }

    /// All but a few are in use, or the rest is free again.
    void hold_descriptors() {
        if (!held_.empty())
            return held_.clear();
        while (os::Fd fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)})
            held_.push_back(std::move(fd));
        held_.resize(held_.size() - choices_.ConsumeIntegralInRange<size_t>(0, 8));
    }

    void refuse(const char* name) {
        script_.errors.emplace(name, Error(ErrorKind::system, parameters_.text()));
    }

    void change_guest() {
        constexpr std::array<const char*, 6> calls = {"createContainer", "startContainer", "exec",
                                                      "signal",          "resize",         "deleteContainer"};
        const char* name = calls[choices_.ConsumeIntegralInRange<size_t>(0, calls.size() - 1)];
        switch (choices_.ConsumeIntegralInRange(0, 6)) {
        case 0:
            refuse(name);
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
        case 6:
            change_resources();
            break;
        default:
            script_.exit_value = choices_.ConsumeIntegral<uint8_t>();
            for (auto& [process, fulfiller] : script_.waiting)
                fulfiller->fulfill();
            break;
        }
    }

    /// What comes of pausing, growing and asking for figures.
    void change_resources() {
        constexpr std::array<const char*, 7> calls = {"freeze",    "thaw",       "grow",    "updateContainer",
                                                      "processes", "readCgroup", "setClock"};
        const char* name = calls[choices_.ConsumeIntegralInRange<size_t>(0, calls.size() - 1)];
        Error refused(ErrorKind::system, "the machine refuses");
        switch (choices_.ConsumeIntegralInRange(0, 7)) {
        case 0:
            refuse(name);
            break;
        case 1:
            script_.silent.insert(name);
            break;
        case 2:
            machine_.resize_error = refused;
            break;
        case 3:
            machine_.suspend_error = refused;
            break;
        case 4:
            machine_.resume_error = refused;
            break;
        case 5:
            script_.oom_kills = choices_.ConsumeIntegralInRange<uint64_t>(0, 100);
            break;
        case 6:
            script_.processes = choices_.ConsumeIntegralInRange<unsigned>(0, 20000);
            script_.process_name_bytes = choices_.ConsumeIntegralInRange<size_t>(0, 100);
            break;
        default:
            script_.cgroup_files.assign(choices_.ConsumeIntegralInRange<size_t>(0, 70), parameters_.text());
            break;
        }
    }

    FuzzedDataProvider& choices_;
    MemoryLimit memory_{most_memory};
    kj::AsyncIoContext io_ = kj::setupAsyncIo();
    kj::TimerImpl timer_{kj::origin<kj::TimePoint>()};
    sockaddr_un address_{};
    socklen_t address_size_ = sizeof address_;
    Parameters parameters_{choices_};
    std::vector<os::Fd> held_; ///< descriptors that nobody else can have
    bool over_ = false;
    sandbox::AgentScript script_;
    sandbox::FakeMachine machine_{io_, script_};
    sandbox::Sandbox sandbox_{timer_, machine_, [this](const std::string&) {
                                  require(!std::exchange(over_, true), "the end is told once");
                              }};
    SimulatedIo simulated_io_{*io_.lowLevelProvider, timer_};
    sandbox::Server server_{sandbox_, simulated_io_};
    std::vector<RawClient> raw_clients_;
    std::vector<kj::Own<Client>> clients_;
    kj::TaskSet tasks_{*this};
    Calls calls_{choices_, parameters_};
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
