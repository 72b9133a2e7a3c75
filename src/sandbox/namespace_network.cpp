#include "sandbox/namespace_network.h"

#include "network/coupling.h"
#include "network/link.h"
#include "network/macvtap.h"
#include "network/resolver.h"
#include "network/served.h"
#include "sandbox/resolver_query.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <optional>

namespace runvm::sandbox {

namespace {

/// A socket that hears of every change in the calling thread's network namespace.
Result<os::Fd> listen_to_changes() {
    os::Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
    if (!socket)
        return system_error("open a netlink socket");
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        return system_error("bind a netlink socket");
    for (int group : {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                      RTNLGRP_IPV6_ROUTE, RTNLGRP_NEIGH})
        if (::setsockopt(socket.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
            return system_error("listen to changes of a network namespace");
    return socket;
}

} // namespace

Result<std::unique_ptr<HostNetwork>> NamespaceNetwork::open(kj::UnixEventPort& event_port, os::Fd space,
                                                            network::Model model) {
    struct stat info {};
    if (::fstat(space.get(), &info) != 0)
        return system_error("stat the network namespace");
    network::Namespace opened(std::move(space));
    std::optional<network::Netlink> netlink;
    os::Fd notices;
    RUNVM_TRY(opened.run([&]() -> Result<void> {
        RUNVM_ASSIGN(network::Netlink inside, network::Netlink::open());
        netlink.emplace(std::move(inside));
        RUNVM_ASSIGN(notices, listen_to_changes());
        return {};
    }));
    std::unique_ptr<HostNetwork> made = std::make_unique<NamespaceNetwork>(
        event_port, std::move(opened), network::NamespaceId{info.st_dev, info.st_ino}, std::move(*netlink),
        std::move(notices), model);
    return made;
}

NamespaceNetwork::NamespaceNetwork(kj::UnixEventPort& event_port, network::Namespace space,
                                   network::NamespaceId id, network::Netlink netlink, os::Fd notices,
                                   network::Model model)
    : event_port_(event_port), space_(std::move(space)), id_(id), netlink_(std::move(netlink)),
      notices_(std::move(notices)), model_(model),
      observer_(event_port, notices_.get(), kj::UnixEventPort::FdObserver::OBSERVE_READ) {}

Result<network::State> NamespaceNetwork::read() {
    RUNVM_ASSIGN(network::Reading reading, network::read_state(netlink_));
    if (!serves_links())
        std::erase_if(reading.links,
                      [](const network::LinkDetails& details) { return !details.link.is_loopback; });
    network::State state = network::served_state(reading);
    if (state.links.size() > network::max_links)
        return Error(ErrorKind::unsupported, "the container's network namespace has " +
                                                 std::to_string(state.links.size()) + " links; at most " +
                                                 std::to_string(network::max_links) + " are possible");
    if (serves_links())
        RUNVM_TRY(space_.run([&]() -> Result<void> {
            RUNVM_ASSIGN(state.has_resolver, network::has_resolver());
            return state.has_resolver ? network::use_own_ports() : Result<void>();
        }));
    return state;
}

/// What they say does not matter, and some may have been lost (ENOBUFS).
bool NamespaceNetwork::take_notices() {
    bool has_some = false;
    std::array<char, 16384> buffer{};
    while (::recv(notices_.get(), buffer.data(), buffer.size(), 0) >= 0 || errno == ENOBUFS)
        has_some = true;
    return has_some;
}

kj::Promise<void> NamespaceNetwork::changed() {
    if (take_notices())
        return kj::READY_NOW;
    return observer_.whenBecomesReadable().then([this] { return changed(); });
}

Result<bool> NamespaceNetwork::make_tap(const network::Link& link, const std::string& tap) {
    if (model_ != network::Model::macvtap)
        return false;
    RUNVM_TRY(network::make_macvtap(netlink_, link.index, tap));
    return true;
}

Result<void> NamespaceNetwork::connect(const network::Link& link, const std::string& tap) {
    return model_ == network::Model::macvtap ? network::bring_macvtap_up(tap, link.mtu)
                                             : connect_with_tc(link, tap);
}

Result<uint32_t> NamespaceNetwork::move_tap(const std::string& tap) {
    if (auto moved = taps_.find(tap); moved != taps_.end())
        return moved->second;
    RUNVM_ASSIGN(network::Netlink own, network::Netlink::open());
    RUNVM_ASSIGN(uint32_t here, network::link_index(own, tap));
    if (network::link_index(netlink_, tap))
        return Error(ErrorKind::already_exists, "another machine has the link already");
    RUNVM_TRY(network::move_link(own, here, space_.fd()));
    RUNVM_ASSIGN(uint32_t there, network::link_index(netlink_, tap));
    taps_[tap] = there;
    return there;
}

Result<void> NamespaceNetwork::connect_with_tc(const network::Link& link, const std::string& tap) {
    RUNVM_ASSIGN(uint32_t there, move_tap(tap));
    RUNVM_TRY(network::bring_up(netlink_, there, link.mtu));
    return network::couple(netlink_, link.index, there);
}

void NamespaceNetwork::disconnect(const network::Link& link, const std::string& tap) {
    if (model_ == network::Model::macvtap) {
        (void)network::remove_macvtap(tap); // what stays goes with the monitor's namespace
    } else if (auto moved = taps_.extract(tap)) {
        // What stays is found by `delete`.
        (void)network::uncouple(netlink_, link.index, moved.mapped());
    }
}

kj::Promise<Result<std::string>> NamespaceNetwork::ask_resolver(std::string message, bool over_tcp) {
    os::Fd socket;
    auto connected = space_.run([&]() -> Result<void> {
        RUNVM_ASSIGN(socket, network::connect_to_resolver(over_tcp));
        return {};
    });
    if (!connected)
        return Result<std::string>(std::move(connected).error());
    return query_resolver(event_port_, std::move(socket), std::move(message), over_tcp);
}

} // namespace runvm::sandbox
