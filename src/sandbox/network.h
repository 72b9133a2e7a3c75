#pragma once
// Makes the guest's network like that of a namespace of the host, and keeps it so.

#include "core/result.h"
#include "sandbox/host_network.h"
#include "sandbox/machine.h"

#include <kj/async.h>
#include <kj/timer.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace runvm::sandbox {

class Network final : private kj::TaskSet::ErrorHandler {
public:
    /// Has the agent set the guest's network.
    using Tell = std::function<kj::Promise<Result<void>>(const network::State&)>;

    Network(kj::Timer& timer, Machine& machine, Tell tell);
    ~Network() noexcept;

    /// The namespace whose links the guest shall have; already_exists if it has those of another one.
    Result<void> choose(os::Fd space);
    /// To be called once, when the guest has booted and a namespace is chosen: from now on the guest gets
    /// what that has.
    void follow();
    /// Resolves when the guest has what the namespace had when this was called.
    kj::Promise<Result<void>> settled();
    /// As HostNetwork::ask_resolver, of the namespace that was chosen.
    kj::Promise<Result<std::string>> ask_resolver(std::string message, bool over_tcp);
    /// The machine is over: the links are let go.
    void end();

private:
    struct Nic {
        network::Link link;
        vm::Nic device;
        bool is_connected = false;
    };

    void taskFailed(kj::Exception&& exception) override;
    void complain(const std::string& what);
    kj::Promise<void> watch();
    kj::Promise<Result<void>> synchronize();
    kj::Promise<Result<void>> bring_guest_to(network::State wanted);
    kj::Promise<Result<void>> plug_next(const network::State& wanted, size_t next);
    kj::Promise<Result<void>> plug(const network::Link& link);
    Result<void> connect(Nic& nic, const network::Link& link);
    void unplug(uint32_t index);
    void unplug_others(const network::State& wanted);

    kj::Timer& timer_;
    Machine& machine_;
    Tell tell_;
    std::unique_ptr<HostNetwork> host_;
    std::map<uint32_t, Nic> nics_;                             ///< by the link's index
    std::optional<network::State> told_ = network::lo_alone(); ///< what the guest has; none: nobody knows
    bool is_over_ = false;
    std::string last_complaint_;
    unsigned complaints_ = 0;
    std::optional<kj::ForkedPromise<void>> running_; ///< the synchronization under way
    Result<void> outcome_;                           ///< of the last one
    kj::TaskSet tasks_;
};

} // namespace runvm::sandbox
