#include "network/read_state.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace runvm::network {

namespace {

/// The attributes behind the header of a message, by their numbers.
template <int last>
class Attributes {
public:
    Attributes(nlmsghdr* message, size_t header_size) {
        nla_parse(found_.data(), last, nlmsg_attrdata(message, static_cast<int>(header_size)),
                  nlmsg_attrlen(message, static_cast<int>(header_size)), nullptr);
    }
    explicit Attributes(nlattr* nest) {
        if (nest != nullptr)
            nla_parse(found_.data(), last, static_cast<nlattr*>(nla_data(nest)), nla_len(nest), nullptr);
    }
    nlattr* operator[](int attribute) const { return found_.at(static_cast<size_t>(attribute)); }
    uint32_t number(int attribute) const {
        nlattr* found = (*this)[attribute];
        return found != nullptr && nla_len(found) >= 4 ? nla_get_u32(found) : 0;
    }
    Ip ip(int attribute) const {
        nlattr* found = (*this)[attribute];
        return found == nullptr ? Ip{} : make_ip(nla_data(found), static_cast<size_t>(nla_len(found)));
    }
    Mac mac(int attribute) const {
        Mac mac{};
        nlattr* found = (*this)[attribute];
        if (found != nullptr && nla_len(found) == static_cast<int>(mac.size()))
            std::memcpy(mac.data(), nla_data(found), mac.size());
        return mac;
    }

private:
    std::array<nlattr*, last + 1> found_{};
};

template <class Header>
const Header& header_of(nlmsghdr* message) {
    return *static_cast<const Header*>(nlmsg_data(message));
}

/// IFLA_AF_SPEC has the sysctls of net.ipv6.conf.<link> as an array; none where the link has no IPv6 at all
/// (an MTU below 1280).
bool has_ipv6(nlattr* families) {
    constexpr size_t entry = DEVCONF_DISABLE_IPV6;
    Attributes<AF_INET6> by_family(families);
    Attributes<IFLA_INET6_MAX> inet6(by_family[AF_INET6]);
    nlattr* conf = inet6[IFLA_INET6_CONF];
    if (conf == nullptr || nla_len(conf) < static_cast<int>((entry + 1) * sizeof(int32_t)))
        return false;
    int32_t disabled = 0;
    std::memcpy(&disabled, static_cast<const char*>(nla_data(conf)) + entry * sizeof disabled,
                sizeof disabled);
    return disabled == 0;
}

LinkDetails read_link(nlmsghdr* message) {
    const auto& header = header_of<ifinfomsg>(message);
    Attributes<IFLA_MAX> attributes(message, sizeof header);
    LinkDetails details;
    details.link.index = static_cast<uint32_t>(header.ifi_index);
    if (nlattr* name = attributes[IFLA_IFNAME])
        details.link.name = nla_get_string(name);
    details.link.mac = attributes.mac(IFLA_ADDRESS);
    details.link.mtu = attributes.number(IFLA_MTU);
    details.link.up = (header.ifi_flags & IFF_UP) != 0;
    details.link.is_loopback = (header.ifi_flags & IFF_LOOPBACK) != 0;
    details.link.has_ipv6 = has_ipv6(attributes[IFLA_AF_SPEC]);
    details.is_ethernet = header.ifi_type == ARPHRD_ETHER;
    details.permanent_mac = attributes.mac(IFLA_PERM_ADDRESS);
    details.master = attributes.number(IFLA_MASTER);
    return details;
}

void read_address(nlmsghdr* message, std::vector<Address>& addresses) {
    const auto& header = header_of<ifaddrmsg>(message);
    Attributes<IFA_MAX> attributes(message, sizeof header);
    uint32_t flags = attributes[IFA_FLAGS] != nullptr ? attributes.number(IFA_FLAGS) : header.ifa_flags;
    if ((flags & IFA_F_PERMANENT) == 0)
        return; // of a router advertisement
    Address address;
    address.link = header.ifa_index;
    address.prefix = header.ifa_prefixlen;
    address.scope = header.ifa_scope;
    address.flags = flags & (IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN);
    address.local = attributes.ip(attributes[IFA_LOCAL] != nullptr ? IFA_LOCAL : IFA_ADDRESS);
    if (Ip other = attributes.ip(IFA_ADDRESS); other != address.local)
        address.peer = other;
    address.broadcast = attributes.ip(IFA_BROADCAST);
    if (address.local)
        addresses.push_back(address);
}

/// A default route says no destination.
Ip any_of(uint8_t family) {
    Ip any;
    any.family = family;
    return any;
}

void read_route(nlmsghdr* message, std::vector<Route>& routes) {
    const auto& header = header_of<rtmsg>(message);
    Attributes<RTA_MAX> attributes(message, sizeof header);
    uint32_t table = attributes[RTA_TABLE] != nullptr ? attributes.number(RTA_TABLE) : header.rtm_table;
    bool is_ours = table == RT_TABLE_MAIN && (header.rtm_flags & RTM_F_CLONED) == 0 &&
                   header.rtm_protocol != RTPROT_RA && header.rtm_protocol != RTPROT_REDIRECT &&
                   (header.rtm_family == AF_INET || header.rtm_family == AF_INET6);
    // Several next hops, or one of the other family or an object of its own: docs/differences.md.
    bool is_plain = attributes[RTA_MULTIPATH] == nullptr && attributes[RTA_VIA] == nullptr &&
                    attributes[RTA_NH_ID] == nullptr && attributes[RTA_ENCAP] == nullptr;
    if (!is_ours || !is_plain || header.rtm_type == RTN_MULTICAST)
        return;
    Route route;
    route.link = attributes.number(RTA_OIF);
    route.destination = attributes[RTA_DST] != nullptr ? attributes.ip(RTA_DST) : any_of(header.rtm_family);
    route.gateway = attributes.ip(RTA_GATEWAY);
    route.source = attributes.ip(RTA_PREFSRC);
    route.prefix = header.rtm_dst_len;
    route.type = header.rtm_type;
    route.scope = header.rtm_scope;
    route.protocol = header.rtm_protocol;
    route.tos = header.rtm_tos;
    route.is_onlink = (header.rtm_flags & RTNH_F_ONLINK) != 0;
    route.metric = attributes.number(RTA_PRIORITY);
    route.mtu = Attributes<RTAX_MAX>(attributes[RTA_METRICS]).number(RTAX_MTU);
    routes.push_back(route);
}

void read_neighbour(nlmsghdr* message, std::vector<Neighbour>& neighbours) {
    const auto& header = header_of<ndmsg>(message);
    Attributes<NDA_MAX> attributes(message, sizeof header);
    bool is_set = (header.ndm_state & NUD_PERMANENT) != 0 && (header.ndm_flags & NTF_PROXY) == 0 &&
                  attributes[NDA_LLADDR] != nullptr && nla_len(attributes[NDA_LLADDR]) == 6;
    Neighbour neighbour;
    neighbour.link = static_cast<uint32_t>(header.ndm_ifindex);
    neighbour.address = attributes.ip(NDA_DST);
    neighbour.mac = attributes.mac(NDA_LLADDR);
    if (is_set && neighbour.address)
        neighbours.push_back(neighbour);
}

/// Gets objects of one kind into a list, in an order that does not depend on the kernel's.
template <class Header, class T, class Read>
Result<void> dump_into(Netlink& netlink, int type, const char* what, const Header& header,
                       std::vector<T>& list, Read read) {
    Message message(type, 0);
    message.header(header);
    RUNVM_TRY(netlink.dump(
        message, what, [&] { list.clear(); }, [&](nlmsghdr* answer) { read(answer, list); }));
    return {};
}

} // namespace

Result<Reading> read_state(Netlink& netlink) {
    Reading reading;
    State& state = reading.state;
    ifinfomsg links{};
    RUNVM_TRY(dump_into(netlink, RTM_GETLINK, "list the links", links, reading.links,
                        [](nlmsghdr* message, auto& list) { list.push_back(read_link(message)); }));
    ifaddrmsg addresses{};
    RUNVM_TRY(
        dump_into(netlink, RTM_GETADDR, "list the addresses", addresses, state.addresses, read_address));
    // Each family by itself: with AF_UNSPEC the kernel would list multicast routes, too.
    for (uint8_t family : {AF_INET, AF_INET6}) {
        rtmsg routes{};
        routes.rtm_family = family;
        std::vector<Route> found;
        RUNVM_TRY(dump_into(netlink, RTM_GETROUTE, "list the routes", routes, found, read_route));
        state.routes.insert(state.routes.end(), found.begin(), found.end());
    }
    ndmsg neighbours{};
    RUNVM_TRY(dump_into(netlink, RTM_GETNEIGH, "list the neighbours", neighbours, state.neighbours,
                        read_neighbour));
    for (const LinkDetails& details : reading.links)
        state.links.push_back(details.link);
    std::sort(state.links.begin(), state.links.end());
    std::sort(state.addresses.begin(), state.addresses.end());
    std::sort(state.routes.begin(), state.routes.end());
    std::sort(state.neighbours.begin(), state.neighbours.end());
    return reading;
}

} // namespace runvm::network
