#pragma once
// The machine of a hostile guest.

#include "hostile_guest.h"

#include "channel/rpc_error.h"
#include "sandbox/agent_session.h"
#include "sandbox/machine.h"
#include "sandbox/name_queries.h"

#include <kj/timer.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace runvm::fuzz {

constexpr auto boot_limit = 60 * kj::SECONDS;

/// A namespace with lo and a resolver, which knows little.
class ResolvingNetwork final : public sandbox::HostNetwork {
public:
    explicit ResolvingNetwork(kj::Timer& timer) : timer_(timer) {}

    network::NamespaceId id() const override { return {1, 1}; }
    Result<network::State> read() override {
        network::State state;
        state.links.emplace_back();
        state.links.back().index = 1;
        state.links.back().name = "lo";
        state.links.back().is_loopback = true;
        state.has_resolver = true;
        return state;
    }
    kj::Promise<void> changed() override { return kj::NEVER_DONE; }
    Result<bool> make_tap(const network::Link&, const std::string&) override { return false; }
    Result<void> connect(const network::Link&, const std::string&) override { return {}; }
    void disconnect(const network::Link&, const std::string&) override {}
    kj::Promise<Result<std::string>> ask_resolver(std::string message, bool over_tcp) override {
        constexpr size_t largest = 65535;
        require(!message.empty() && message.size() <= largest, "a query is of a size that can be sent");
        require(++under_way_ <= sandbox::NameQueries::most_pending, "queries are bounded");
        return timer_.afterDelay(1 * kj::SECONDS).then([this, over_tcp]() -> Result<std::string> {
            --under_way_;
            if (over_tcp)
                return std::string("answer");
            return Error(ErrorKind::timeout, "no answer");
        });
    }

private:
    kj::Timer& timer_;
    size_t under_way_ = 0;
};

/// VmMachine without its host parts.
class HostileMachine final : public sandbox::Machine {
public:
    HostileMachine(kj::AsyncIoContext& io, kj::Timer& timer, FuzzedDataProvider& choices)
        : io_(io), timer_(timer), choices_(choices) {}
    ~HostileMachine() noexcept override = default; // kj's destructors may throw; ours may not

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
    kj::Promise<Result<void>> resize(uint32_t, uint64_t) override { return in_a_while(); }
    kj::Promise<Result<void>> destroy() override {
        return kj::evalLater([this]() -> Result<void> {
            die();
            return {};
        });
    }
    Result<std::unique_ptr<sandbox::HostNetwork>> open_network(os::Fd) override {
        std::unique_ptr<sandbox::HostNetwork> opened = std::make_unique<ResolvingNetwork>(timer_);
        return opened;
    }
    kj::Promise<Result<void>> plug_nic(const vm::Nic&) override { return in_a_while(); }
    kj::Promise<Result<void>> unplug_nic(const vm::Nic&) override { return in_a_while(); }
    Result<void> attach_share(sandbox::ShareRequest) override { return {}; }
    Result<void> make_share_readonly(const std::string&, const std::string&) override { return {}; }
    void detach_shares(const std::string&) override {}
    kj::Promise<Result<void>> plug_disk(sandbox::DiskRequest) override { return in_a_while(); }
    kj::Promise<Result<void>> unplug_disk(const std::string&) override { return in_a_while(); }
    Result<void> watch_file(uint32_t, const std::string&) override { return {}; }
    void unwatch_file(uint32_t) override {}
    kj::Promise<std::vector<vm::FileEvent>> next_file_events() override { return kj::NEVER_DONE; }
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

} // namespace runvm::fuzz
