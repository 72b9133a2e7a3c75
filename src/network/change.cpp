#include "network/change.h"

#include "network/read_state.h"
#include "os/file.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <set>

namespace runvm::network {

namespace {

/// Success too if the kernel says one of these.
Result<void> accept_errors(Result<void> result, std::initializer_list<int> accepted) {
    if (!result &&
        std::find(accepted.begin(), accepted.end(), result.error().errno_value()) != accepted.end())
        return {};
    return result;
}

std::string text_of(const Address& address) {
    return to_string(address.local) + "/" + std::to_string(address.prefix);
}

std::string text_of(const Route& route) {
    return to_string(route.destination) + "/" + std::to_string(route.prefix) +
           (route.gateway ? " via " + to_string(route.gateway) : "");
}

void put_ip(Message& message, int attribute, const Ip& ip) {
    if (ip)
        message.put(attribute, ip.bytes.data(), ip.size());
}

template <class T>
bool has(const std::vector<T>& list, const T& element) {
    return std::find(list.begin(), list.end(), element) != list.end();
}

const Link* find_link(const State& state, uint32_t index) {
    auto found = std::find_if(state.links.begin(), state.links.end(),
                              [index](const Link& link) { return link.index == index; });
    return found == state.links.end() ? nullptr : &*found;
}

/// One change: the namespace, and the states between which it is taken.
class Change {
public:
    Change(Netlink& netlink, const LinkNumbers& numbers, const State& before, const State& wanted)
        : netlink_(netlink), numbers_(numbers), before_(before), wanted_(wanted) {}

    Result<void> run() {
        RUNVM_TRY(remove_entries());
        RUNVM_TRY(take_removed_links_down());
        RUNVM_TRY(free_names());
        for (const Link& link : wanted_.links)
            RUNVM_TRY(set_link(link).context("link " + link.name));
        return add_entries();
    }

private:
    uint32_t number_of(uint32_t index) const {
        auto found = numbers_.find(index);
        return found == numbers_.end() ? 0 : found->second;
    }

    Result<void> remove_entries();
    Result<void> add_entries();
    Result<void> take_removed_links_down();
    Result<void> free_names();
    Result<void> set_link(const Link& link);
    Result<void> set_identity(const Link& link, uint32_t number);
    Result<void> set_ipv6(const Link& link, const Link* before);
    Result<void> set_flags(const Link& link, uint32_t number);
    Result<void> send_link(uint32_t number, uint32_t flags, const std::string& name, const char* what);
    bool has_own_address(const Link& link) const;

    Result<void> send(int type, int flags, const Address& address);
    Result<void> send(int type, int flags, const Route& route);
    Result<void> send(int type, int flags, const Neighbour& neighbour);

    template <class T>
    Result<void> remove(const std::vector<T>& before, const std::vector<T>& wanted, int type) {
        for (const T& entry : before)
            if (!has(wanted, entry) && (entry.link == 0 || number_of(entry.link) != 0))
                RUNVM_TRY(accept_errors(send(type, 0, entry),
                                        {ESRCH, ENOENT, EADDRNOTAVAIL, ENODEV, ENETDOWN, ENXIO}));
        return {};
    }
    template <class T>
    Result<void> add(const std::vector<T>& before, const std::vector<T>& wanted, int type, int flags) {
        for (const T& entry : wanted)
            if (!has(before, entry) || restarted_.count(entry.link) != 0)
                RUNVM_TRY(accept_errors(send(type, NLM_F_CREATE | flags, entry), {EEXIST}));
        return {};
    }

    Netlink& netlink_;
    const LinkNumbers& numbers_;
    const State& before_;
    const State& wanted_;
    std::set<uint32_t> restarted_; ///< links that were down, which loses what is configured on them
};

Result<void> Change::remove_entries() {
    RUNVM_TRY(remove(before_.neighbours, wanted_.neighbours, RTM_DELNEIGH));
    RUNVM_TRY(remove(before_.routes, wanted_.routes, RTM_DELROUTE));
    return remove(before_.addresses, wanted_.addresses, RTM_DELADDR);
}

Result<void> Change::add_entries() {
    RUNVM_TRY(add(before_.addresses, wanted_.addresses, RTM_NEWADDR, NLM_F_REPLACE));
    // A gateway has to be within reach when its route is added.
    std::vector<Route> routes = wanted_.routes;
    std::stable_partition(routes.begin(), routes.end(), [](const Route& route) { return !route.gateway; });
    RUNVM_TRY(add(before_.routes, routes, RTM_NEWROUTE, 0));
    return add(before_.neighbours, wanted_.neighbours, RTM_NEWNEIGH, NLM_F_REPLACE);
}

Result<void> Change::send_link(uint32_t number, uint32_t flags, const std::string& name, const char* what) {
    ifinfomsg header{};
    header.ifi_index = static_cast<int>(number);
    header.ifi_flags = flags;
    header.ifi_change = IFF_UP;
    Message message(RTM_NEWLINK, 0);
    message.header(header);
    if (!name.empty())
        message.put_text(IFLA_IFNAME, name);
    return netlink_.request(message, what);
}

// Their NICs are unplugged next.
Result<void> Change::take_removed_links_down() {
    for (const Link& link : before_.links)
        if (uint32_t number = number_of(link.index); number != 0 && find_link(wanted_, link.index) == nullptr)
            RUNVM_TRY(accept_errors(send_link(number, 0, "", "take a link down"), {ENODEV}));
    return {};
}

// The kernel names NICs in the order in which it finds them, and one that is to go may have a name that
// another one gets.
Result<void> Change::free_names() {
    RUNVM_ASSIGN(Reading reading, read_state(netlink_));
    for (const LinkDetails& details : reading.links) {
        auto taken = std::find_if(wanted_.links.begin(), wanted_.links.end(), [&](const Link& link) {
            return link.name == details.link.name && number_of(link.index) != details.link.index;
        });
        if (taken != wanted_.links.end() && !details.link.is_loopback)
            RUNVM_TRY(send_link(details.link.index, 0, "rvnic" + std::to_string(details.link.index),
                                "free a link's name"));
    }
    return {};
}

Result<void> Change::set_link(const Link& link) {
    const Link* before = find_link(before_, link.index);
    if (before != nullptr && *before == link)
        return {};
    uint32_t number = number_of(link.index);
    bool is_new = before == nullptr || before->name != link.name || before->mac != link.mac;
    if (is_new) {
        restarted_.insert(link.index);
        if (!link.is_loopback)
            RUNVM_TRY(set_identity(link, number));
    }
    RUNVM_TRY(set_ipv6(link, before));
    return set_flags(link, number);
}

Result<void> Change::set_identity(const Link& link, uint32_t number) {
    // Before, and not with it: the kernel renames first.
    RUNVM_TRY(send_link(number, 0, "", "take the link down"));
    RUNVM_TRY(send_link(number, 0, link.name, "rename"));
    ifinfomsg header{};
    header.ifi_index = static_cast<int>(number);
    Message message(RTM_NEWLINK, 0);
    message.header(header);
    message.put(IFLA_ADDRESS, link.mac.data(), link.mac.size());
    return netlink_.request(message, "set MAC address " + to_string(link.mac));
}

/// The address that the kernel would give the link by itself.
bool Change::has_own_address(const Link& link) const {
    const Mac& mac = link.mac;
    std::array<uint8_t, 16> bytes{0xfe, 0x80,   0,      0,    0,    0,      0,      0,
                                  0,    mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
    bytes[8] = mac[0] ^ 2U; // RFC 4291, appendix A
    Ip own = make_ip(bytes.data(), bytes.size());
    return std::any_of(wanted_.addresses.begin(), wanted_.addresses.end(), [&](const Address& address) {
        return address.link == link.index && address.local == own;
    });
}

Result<void> Change::set_ipv6(const Link& link, const Link* before) {
    std::string folder = "/proc/sys/net/ipv6/conf/" + link.name;
    // A kernel without IPv6, or an MTU that is too small for it, has no such folder.
    if (before == nullptr || before->has_ipv6 != link.has_ipv6)
        RUNVM_TRY(
            accept_errors(os::write_into(folder + "/disable_ipv6", link.has_ipv6 ? "0" : "1"), {ENOENT}));
    return {};
}

Result<void> Change::set_flags(const Link& link, uint32_t number) {
    // With its own address the kernel would first ask for a second whether it is anybody else's. It is added
    // as the host has it.
    std::string mode = "/proc/sys/net/ipv6/conf/" + link.name + "/addr_gen_mode";
    bool is_own_address_late = !link.is_loopback && link.has_ipv6 && restarted_.count(link.index) != 0;
    if (is_own_address_late)
        RUNVM_TRY(accept_errors(os::write_into(mode, "1"), {ENOENT}));
    ifinfomsg header{};
    header.ifi_index = static_cast<int>(number);
    header.ifi_flags = link.up ? IFF_UP : 0;
    header.ifi_change = IFF_UP;
    Message message(RTM_NEWLINK, 0);
    message.header(header);
    message.put_number(IFLA_MTU, link.mtu);
    // The kernel says so by itself, but up to a second later.
    constexpr uint8_t is_up = IF_OPER_UP;
    if (link.up && !link.is_loopback)
        message.put(IFLA_OPERSTATE, &is_up, sizeof is_up);
    RUNVM_TRY(netlink_.request(message, "set MTU " + std::to_string(link.mtu)));
    if (!is_own_address_late || !has_own_address(link))
        return {};
    for (const Address& address : wanted_.addresses)
        if (address.link == link.index && address.scope == RT_SCOPE_LINK && address.local.family == AF_INET6)
            RUNVM_TRY(accept_errors(send(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, address), {EEXIST}));
    return accept_errors(os::write_into(mode, "0"), {ENOENT});
}

Result<void> Change::send(int type, int flags, const Address& address) {
    ifaddrmsg header{};
    header.ifa_family = address.local.family;
    header.ifa_prefixlen = address.prefix;
    header.ifa_scope = address.scope;
    header.ifa_index = number_of(address.link);
    Message message(type, flags);
    message.header(header);
    put_ip(message, IFA_LOCAL, address.local);
    put_ip(message, IFA_ADDRESS, address.peer ? address.peer : address.local);
    put_ip(message, IFA_BROADCAST, address.broadcast);
    // The host has seen to it that nobody else has it.
    message.put_number(IFA_FLAGS, address.flags | (address.local.family == AF_INET6 ? IFA_F_NODAD : 0U));
    return netlink_.request(message, "address " + text_of(address));
}

Result<void> Change::send(int type, int flags, const Route& route) {
    rtmsg header{};
    header.rtm_family = route.destination.family;
    header.rtm_dst_len = route.prefix;
    header.rtm_tos = route.tos;
    header.rtm_table = RT_TABLE_MAIN;
    header.rtm_protocol = route.protocol;
    header.rtm_scope = route.scope;
    header.rtm_type = route.type;
    header.rtm_flags = route.is_onlink ? RTNH_F_ONLINK : 0;
    Message message(type, flags);
    message.header(header);
    if (route.prefix > 0)
        put_ip(message, RTA_DST, route.destination);
    put_ip(message, RTA_GATEWAY, route.gateway);
    put_ip(message, RTA_PREFSRC, route.source);
    if (route.link != 0)
        message.put_number(RTA_OIF, number_of(route.link));
    if (route.metric != 0)
        message.put_number(RTA_PRIORITY, route.metric);
    if (route.mtu != 0)
        message.nest(RTA_METRICS, [&](Message& metrics) { metrics.put_number(RTAX_MTU, route.mtu); });
    return netlink_.request(message, "route " + text_of(route));
}

Result<void> Change::send(int type, int flags, const Neighbour& neighbour) {
    ndmsg header{};
    header.ndm_family = neighbour.address.family;
    header.ndm_ifindex = static_cast<int>(number_of(neighbour.link));
    header.ndm_state = NUD_PERMANENT;
    Message message(type, flags);
    message.header(header);
    put_ip(message, NDA_DST, neighbour.address);
    message.put(NDA_LLADDR, neighbour.mac.data(), neighbour.mac.size());
    return netlink_.request(message, "neighbour " + to_string(neighbour.address));
}

} // namespace

Result<LinkNumbers> find_nics(Netlink& netlink, const State& wanted) {
    RUNVM_ASSIGN(Reading reading, read_state(netlink));
    LinkNumbers numbers;
    for (const Link& link : wanted.links)
        for (const LinkDetails& here : reading.links)
            if (link.is_loopback ? here.link.is_loopback : here.permanent_mac == nic_address(link.index))
                numbers[link.index] = here.link.index;
    return numbers;
}

Result<void> change(Netlink& netlink, const LinkNumbers& numbers, const State& before, const State& wanted) {
    return Change(netlink, numbers, before, wanted).run();
}

} // namespace runvm::network
