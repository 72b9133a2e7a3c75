#include "agent/network.h"

#include "agent/boot.h"
#include "agent/cgroup.h"
#include "agent/name_redirect.h"
#include "network/change.h"
#include "network/message.h"
#include "os/file.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

namespace runvm::agent {

namespace {

constexpr auto look_interval = 5 * kj::MILLISECONDS;

/// The first link that has no NIC here yet.
const network::Link* missing_link(const network::State& wanted, const network::LinkNumbers& numbers) {
    auto missing = std::find_if(wanted.links.begin(), wanted.links.end(), [&](const network::Link& link) {
        return numbers.find(link.index) == numbers.end();
    });
    return missing == wanted.links.end() ? nullptr : &*missing;
}

} // namespace

kj::Promise<Result<void>> Network::set(protocol::Network::Reader network, uint32_t limit_ms) {
    auto wanted = network::read_message(network);
    if (!wanted)
        return Result<void>(std::move(wanted).error());
    bool has_nics = std::any_of(wanted->links.begin(), wanted->links.end(),
                                [](const network::Link& link) { return !link.is_loopback; });
    if (has_nics && !is_driver_loaded_) {
        if (auto loaded = load_module_on_demand(initial_root_, "virtio_net"); !loaded)
            return kj::mv(loaded);
        is_driver_loaded_ = true;
    }
    if (!netlink_) {
        auto opened = network::Netlink::open();
        if (!opened)
            return Result<void>(std::move(opened).error());
        netlink_.emplace(std::move(*opened));
    }
    return set_when_plugged(std::move(*wanted), timer_.now() + limit_ms * kj::MILLISECONDS);
}

kj::Promise<Result<void>> Network::set_when_plugged(network::State wanted, kj::TimePoint deadline) {
    auto numbers = network::find_nics(*netlink_, wanted);
    if (!numbers)
        return Result<void>(std::move(numbers).error());
    if (const network::Link* missing = missing_link(wanted, *numbers)) {
        if (timer_.now() >= deadline)
            return Result<void>(
                Error(ErrorKind::timeout, "the NIC of link " + missing->name + " has not shown up"));
        return timer_.afterDelay(look_interval).then([this, wanted = std::move(wanted), deadline]() mutable {
            return set_when_plugged(std::move(wanted), deadline);
        });
    }
    // Those that are to be taken down.
    auto former = network::find_nics(*netlink_, present_);
    if (!former)
        return Result<void>(std::move(former).error());
    numbers->merge(*former);
    auto changed = network::change(*netlink_, *numbers, present_, wanted);
    if (!changed)
        return kj::mv(changed);
    present_ = std::move(wanted);
    return present_.has_resolver ? relay_names() : Result<void>();
}

// For good: where there is no resolver any more, there is no answer.
Result<void> Network::relay_names() {
    if (relays_names_)
        return {};
    RUNVM_ASSIGN(uint16_t port, names_.listen());
    RUNVM_ASSIGN(os::Fd containers, os::open_file(Cgroup::parent, O_RDONLY | O_DIRECTORY));
    RUNVM_TRY(redirect_names(containers.get(), port));
    relays_names_ = true;
    return {};
}

} // namespace runvm::agent
