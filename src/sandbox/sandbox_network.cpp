// The network of a sandbox's containers.

#include "network/message.h"
#include "sandbox/sandbox.h"

namespace runvm::sandbox {

Result<void> Sandbox::set_network(os::Fd space) {
    if (failure_)
        return *failure_;
    RUNVM_TRY(network_.choose(std::move(space)));
    if (is_network_followed_)
        return {};
    is_network_followed_ = true;
    tasks_.add(when_booted().then([this](Result<void>&& booted) {
        if (booted)
            network_.follow();
    }));
    return {};
}

Promised<void> Sandbox::tell_of_network(const network::State& state) {
    if (!guest_)
        return failed(failure_ ? *failure_ : Error(ErrorKind::unavailable, "the guest has not booted"));
    auto request = guest_->agent.setNetworkRequest();
    network::write_state(state, request.initNetwork());
    request.setLimitMs(agent_timeout_ms_);
    return tell_guest(agent_timeout_ms_ + answer_ms, "setNetwork", request)
        .then([this, has_resolver = state.has_resolver](Result<void>&& told) -> Result<void> {
            if (told && has_resolver && guest_)
                name_queries_.follow(guest_->agent);
            return kj::mv(told);
        });
}

} // namespace runvm::sandbox
