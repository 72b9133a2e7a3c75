// libs: runvm_sandbox
// A hostile guest against the monitor: any bytes and any answers on its control and stream ports while the
// host makes calls. Every call ends in time, whatever is handed on is checked, and nothing is held or left
// for ever.

#include "agent_answers/checks.h"
#include "agent_answers/hostile_machine.h"
#include "support.h"

#include "sandbox/sandbox.h"

#include <unistd.h>

#include <array>
#include <csignal>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace runvm;
using namespace runvm::fuzz;
using Direction = protocol::StreamBinding::Direction;

constexpr size_t most_memory = 16U << 20U;
constexpr size_t most_streams = 40; // within the limit of descriptors
// The longest that any call may take: a boot, then the agent's limit, for a start with the network before it,
// which may have to wait for an earlier look at it.
constexpr auto longest_call = 200 * kj::SECONDS;
constexpr auto longest_goodbye = 20 * kj::SECONDS;

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
        config.setVcpus(1);
        config.setMaxVcpus(4);
        config.setMemoryMib(256);
        config.setMaxMemoryMib(4096);
        require(static_cast<bool>(sandbox_.boot(config)), "the first boot is accepted");
        if (choices_.ConsumeBool())
            require(static_cast<bool>(sandbox_.set_network(os::Fd())), "the first network is accepted");
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
        case 19:
            use_resources(id);
            break;
        default:
            machine_.guest->act();
            break;
        }
    }

    void use_resources(const std::string& id) {
        switch (choices_.ConsumeIntegralInRange(0, 5)) {
        case 0:
            call(sandbox_.pause_container(id));
            break;
        case 1:
            call(sandbox_.resume_container(id));
            break;
        case 2:
            call(sandbox_.list_processes(id), [](kj::Own<sandbox::Processes>& processes) {
                require(processes->get().getProcesses().size() <= protocol::MAX_PROCESS_INFOS,
                        "processes are of a bounded number");
            });
            break;
        case 3:
            call(sandbox_.read_cgroup(id, {"memory.current", "pids.current"}), check_contents);
            break;
        default: {
            capnp::MallocMessageBuilder message;
            auto demand = message.initRoot<protocol::Resources>().initDemand();
            demand.setCpus(choices_.ConsumeIntegralInRange<uint32_t>(0, 6));
            demand.setMemoryBytes(choices_.ConsumeIntegralInRange<uint64_t>(0, 6000) << 20U);
            call(sandbox_.update_container(id, message.getRoot<protocol::Resources>()));
            break;
        }
        }
    }

    static void check_contents(const std::vector<std::string>& contents) {
        constexpr size_t most_bytes = 64U << 10U;
        require(contents.size() == 2, "there is an answer for each file that was asked for");
        for (const std::string& content : contents)
            require(content.size() <= most_bytes, "a cgroup file is of bounded size");
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

    template <class T, class Check>
    void call(sandbox::Promised<T> promise, Check check) {
        ++calls_under_way_;
        tasks_.add(promise.then([this, check = std::move(check)](Result<T>&& answer) {
            --calls_under_way_;
            answer ? check(*answer) : check_error(answer.error());
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

    FuzzedDataProvider& choices_;
    MemoryLimit memory_{most_memory};
    kj::AsyncIoContext io_ = kj::setupAsyncIo();
    kj::TimerImpl timer_{kj::origin<kj::TimePoint>()};
    std::vector<os::Fd> shim_ends_;
    bool over_ = false;
    bool creator_is_here_ = true;
    int calls_under_way_ = 0;
    HostileMachine machine_{io_, timer_, choices_};
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
