#include "sandbox/network.h"

#include "core/time.h"
#include "network/link.h"

#include <algorithm>
#include <cstdio>

namespace runvm::sandbox {

namespace {

// An engine configures a link in several steps: they are looked at together.
constexpr auto settle_time = 10 * kj::MILLISECONDS;
constexpr auto retry_interval = 1 * kj::SECONDS;

const network::Link* find_link(const network::State& state, uint32_t index) {
    auto found = std::find_if(state.links.begin(), state.links.end(),
                              [index](const network::Link& link) { return link.index == index; });
    return found == state.links.end() ? nullptr : &*found;
}

} // namespace

Network::Network(kj::Timer& timer, Machine& machine, Tell tell)
    : timer_(timer), machine_(machine), tell_(std::move(tell)), tasks_(*this) {}

Network::~Network() noexcept = default; // kj's destructors may throw; ours may not

void Network::taskFailed(kj::Exception&& exception) {
    std::fprintf(stderr, "%s the network is not followed any more: %s\n", format_time(now_ns()).c_str(),
                 exception.getDescription().cStr());
}

Result<void> Network::choose(os::Fd space) {
    RUNVM_ASSIGN(std::unique_ptr<HostNetwork> chosen, machine_.open_network(std::move(space)));
    if (!host_)
        host_ = std::move(chosen);
    else if (host_->id() != chosen->id())
        return Error(ErrorKind::already_exists,
                     "the machine has the links of another network namespace already");
    return {};
}

void Network::follow() {
    tasks_.add(watch());
}

// A guest that answers with an error each time shall not fill the host's disk.
void Network::complain(const std::string& what) {
    constexpr unsigned most_complaints = 100;
    constexpr size_t longest = 500;
    if (what == last_complaint_ || complaints_ == most_complaints)
        return;
    last_complaint_ = what;
    ++complaints_;
    std::fprintf(stderr, "%s %s%s\n", format_time(now_ns()).c_str(), what.substr(0, longest).c_str(),
                 complaints_ == most_complaints ? " (no more of these are logged)" : "");
}

// Changes that come while it is at work are seen by the next turn.
kj::Promise<void> Network::watch() {
    if (!host_ || is_over_)
        return kj::READY_NOW;
    return settled()
        .then([this](Result<void>&& settled) {
            auto again = host_->changed();
            if (settled)
                return again;
            complain("the guest's network is not like the host's: " + settled.error().to_string());
            return again.exclusiveJoin(timer_.afterDelay(retry_interval));
        })
        .then([this] { return timer_.afterDelay(settle_time); })
        .then([this] { return watch(); });
}

kj::Promise<Result<void>> Network::settled() {
    if (!host_ || is_over_)
        return Result<void>();
    if (running_) // it may have looked too early
        return running_->addBranch().then([this] { return settled(); });
    // On its own: whoever waits for it may be gone before it is done.
    running_ = synchronize()
                   .then([this](Result<void>&& outcome) {
                       outcome_ = std::move(outcome);
                       running_ = std::nullopt;
                   })
                   .fork();
    tasks_.add(running_->addBranch());
    return running_->addBranch().then([this] { return outcome_; });
}

kj::Promise<Result<void>> Network::synchronize() {
    auto wanted = host_->read();
    if (!wanted)
        return Result<void>(std::move(wanted).error());
    if (told_ && *told_ == *wanted)
        return Result<void>();
    return bring_guest_to(std::move(*wanted));
}

kj::Promise<Result<void>> Network::bring_guest_to(network::State wanted) {
    auto state = kj::heap<network::State>(std::move(wanted));
    const network::State& plan = *state;
    return plug_next(plan, 0)
        .then([this, &plan](Result<void>&& plugged) -> kj::Promise<Result<void>> {
            if (!plugged || is_over_)
                return kj::mv(plugged);
            return tell_(plan);
        })
        .then([this, state = kj::mv(state)](Result<void>&& told) mutable -> Result<void> {
            if (told && !is_over_) {
                unplug_others(*state);
                told_ = std::move(*state);
            } else {
                told_ = std::nullopt; // the guest may have a part of it
            }
            return kj::mv(told);
        });
}

kj::Promise<Result<void>> Network::plug_next(const network::State& wanted, size_t next) {
    if (next == wanted.links.size() || is_over_)
        return Result<void>();
    const network::Link& link = wanted.links[next];
    return (link.is_loopback ? kj::Promise<Result<void>>(Result<void>()) : plug(link))
        .then([this, &wanted, next](Result<void>&& plugged) -> kj::Promise<Result<void>> {
            if (!plugged)
                return kj::mv(plugged).context("link " + wanted.links[next].name);
            return plug_next(wanted, next + 1);
        });
}

kj::Promise<Result<void>> Network::plug(const network::Link& link) {
    if (auto present = nics_.find(link.index); present != nics_.end())
        return connect(present->second, link);
    vm::Nic device{network::tap_prefix + std::to_string(link.index),
                   network::to_string(network::nic_address(link.index)), false};
    auto made = host_->make_tap(link, device.tap);
    if (!made)
        return Result<void>(std::move(made).error());
    device.tap_is_there = *made;
    return machine_.plug_nic(device).then([this, link, device](Result<void>&& plugged) -> Result<void> {
        if (!plugged || is_over_)
            return kj::mv(plugged);
        return connect(nics_[link.index] = {link, device}, link);
    });
}

// One that could not be connected stays plugged: it may be with the next try.
Result<void> Network::connect(Nic& nic, const network::Link& link) {
    if (nic.is_connected && nic.link == link)
        return {};
    nic.link = link;
    auto connected = host_->connect(link, nic.device.tap);
    nic.is_connected = connected.ok();
    return connected;
}

void Network::unplug(uint32_t index) {
    auto nic = nics_.extract(index);
    host_->disconnect(nic.mapped().link, nic.mapped().device.tap);
    tasks_.add(machine_.unplug_nic(nic.mapped().device).then([](Result<void>&& unplugged) {
        if (!unplugged)
            std::fprintf(stderr, "%s a NIC was not unplugged: %s\n", format_time(now_ns()).c_str(),
                         unplugged.error().to_string().c_str());
    }));
}

void Network::unplug_others(const network::State& wanted) {
    std::vector<uint32_t> gone;
    for (const auto& [index, nic] : nics_)
        if (find_link(wanted, index) == nullptr)
            gone.push_back(index);
    for (uint32_t index : gone)
        unplug(index);
}

kj::Promise<Result<std::string>> Network::ask_resolver(std::string message, bool over_tcp) {
    if (!host_ || is_over_)
        return Result<std::string>(Error(ErrorKind::unavailable, "there is no resolver"));
    return host_->ask_resolver(std::move(message), over_tcp);
}

void Network::end() {
    is_over_ = true; // the links go back to their namespace, which may outlive us
    for (const auto& [index, nic] : nics_)
        host_->disconnect(nic.link, nic.device.tap);
    nics_.clear();
}

} // namespace runvm::sandbox
