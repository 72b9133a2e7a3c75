#include "network/message.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace runvm::network {

namespace {

capnp::Data::Reader data_of(const Ip& ip) {
    return {ip.bytes.data(), ip.size()};
}

capnp::Data::Reader data_of(const Mac& mac) {
    return {mac.data(), mac.size()};
}

Error invalid(const std::string& what) {
    return {ErrorKind::invalid_argument, "the network's description " + what};
}

/// As the kernel checks it (dev_valid_name); no control characters either, because it gets into texts.
bool is_link_name(const std::string& name) {
    return !name.empty() && name.size() < IFNAMSIZ && name != "." && name != ".." &&
           std::all_of(name.begin(), name.end(),
                       [](unsigned char c) { return c > ' ' && c != 0x7f && c != '/' && c != ':'; });
}

Result<Mac> read_mac(capnp::Data::Reader data) {
    Mac mac{};
    if (data.size() != mac.size())
        return invalid("has a MAC address of " + std::to_string(data.size()) + " bytes");
    std::copy(data.begin(), data.end(), mac.begin());
    return mac;
}

/// Of 4, 16 or (none) 0 bytes.
Result<Ip> read_ip(capnp::Data::Reader data) {
    Ip ip = make_ip(data.begin(), data.size());
    if (!ip && data.size() != 0)
        return invalid("has an address of " + std::to_string(data.size()) + " bytes");
    return ip;
}

class Reader {
public:
    Result<State> read(protocol::Network::Reader network) {
        RUNVM_TRY(check_size("links", network.getLinks().size(), max_links));
        RUNVM_TRY(check_size("addresses", network.getAddresses().size(), max_entries));
        RUNVM_TRY(check_size("routes", network.getRoutes().size(), max_entries));
        RUNVM_TRY(check_size("neighbours", network.getNeighbours().size(), max_entries));
        for (auto link : network.getLinks())
            RUNVM_TRY(read_link(link));
        for (auto address : network.getAddresses())
            RUNVM_TRY(read_address(address));
        for (auto route : network.getRoutes())
            RUNVM_TRY(read_route(route));
        for (auto neighbour : network.getNeighbours())
            RUNVM_TRY(read_neighbour(neighbour));
        state_.has_resolver = network.getHasResolver();
        return std::move(state_);
    }

private:
    static Result<void> check_size(const char* what, size_t size, size_t most) {
        if (size > most)
            return invalid("has " + std::to_string(size) + " " + what + "; at most " + std::to_string(most) +
                           " are possible");
        return {};
    }
    Result<void> check_link(uint32_t index) const {
        for (const Link& link : state_.links)
            if (link.index == index)
                return {};
        return invalid("refers to link " + std::to_string(index) + ", which it does not have");
    }
    static Result<void> check_prefix(uint8_t prefix, const Ip& ip) {
        if (prefix > ip.size() * 8)
            return invalid("has a prefix of " + std::to_string(prefix) + " bits for " + to_string(ip));
        return {};
    }
    static Result<void> check_family(const Ip& ip, const Ip& of) {
        if (ip && ip.family != of.family)
            return invalid("has " + to_string(ip) + " and " + to_string(of) + " in one entry");
        return {};
    }

    Result<void> read_link(protocol::Network::Link::Reader from) {
        Link link;
        link.index = from.getIndex();
        link.name.assign(from.getName().begin(), from.getName().size());
        if (link.index == 0 || check_link(link.index).ok())
            return invalid("has link number " + std::to_string(link.index) + " twice, or 0");
        bool is_taken = std::any_of(state_.links.begin(), state_.links.end(),
                                    [&](const Link& other) { return other.name == link.name; });
        if (!is_link_name(link.name) || is_taken)
            return invalid("has a link whose name is none, or another one's");
        RUNVM_ASSIGN(link.mac, read_mac(from.getMac()));
        link.mtu = from.getMtu();
        link.up = from.getUp();
        link.has_ipv6 = from.getHasIpv6();
        link.is_loopback = from.getIsLoopback();
        state_.links.push_back(std::move(link));
        return {};
    }

    Result<void> read_address(protocol::Network::Address::Reader from) {
        Address address;
        address.link = from.getLink();
        RUNVM_TRY(check_link(address.link));
        RUNVM_ASSIGN(address.local, read_ip(from.getLocal()));
        RUNVM_ASSIGN(address.peer, read_ip(from.getPeer()));
        RUNVM_ASSIGN(address.broadcast, read_ip(from.getBroadcast()));
        if (!address.local)
            return invalid("has an address that is none");
        RUNVM_TRY(check_family(address.peer, address.local));
        RUNVM_TRY(check_family(address.broadcast, address.local));
        address.prefix = from.getPrefix();
        RUNVM_TRY(check_prefix(address.prefix, address.local));
        address.scope = from.getScope();
        address.flags = from.getFlags() & (IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN);
        state_.addresses.push_back(address);
        return {};
    }

    Result<void> read_route(protocol::Network::Route::Reader from) {
        Route route;
        route.link = from.getLink();
        if (route.link != 0)
            RUNVM_TRY(check_link(route.link));
        RUNVM_ASSIGN(route.destination, read_ip(from.getDestination()));
        RUNVM_ASSIGN(route.gateway, read_ip(from.getGateway()));
        RUNVM_ASSIGN(route.source, read_ip(from.getSource()));
        if (!route.destination)
            return invalid("has a route to no address");
        RUNVM_TRY(check_family(route.gateway, route.destination));
        RUNVM_TRY(check_family(route.source, route.destination));
        route.prefix = from.getPrefix();
        RUNVM_TRY(check_prefix(route.prefix, route.destination));
        route.type = from.getType();
        route.scope = from.getScope();
        route.protocol = from.getProtocol();
        route.tos = from.getTos();
        route.is_onlink = from.getIsOnlink();
        route.metric = from.getMetric();
        route.mtu = from.getMtu();
        state_.routes.push_back(route);
        return {};
    }

    Result<void> read_neighbour(protocol::Network::Neighbour::Reader from) {
        Neighbour neighbour;
        neighbour.link = from.getLink();
        RUNVM_TRY(check_link(neighbour.link));
        RUNVM_ASSIGN(neighbour.address, read_ip(from.getAddress()));
        if (!neighbour.address)
            return invalid("has a neighbour without an address");
        RUNVM_ASSIGN(neighbour.mac, read_mac(from.getMac()));
        state_.neighbours.push_back(neighbour);
        return {};
    }

    State state_;
};

} // namespace

void write_state(const State& state, protocol::Network::Builder out) {
    auto links = out.initLinks(static_cast<unsigned>(state.links.size()));
    for (unsigned i = 0; i < links.size(); ++i) {
        const Link& link = state.links[i];
        links[i].setIndex(link.index);
        links[i].setName(link.name);
        links[i].setMac(data_of(link.mac));
        links[i].setMtu(link.mtu);
        links[i].setUp(link.up);
        links[i].setHasIpv6(link.has_ipv6);
        links[i].setIsLoopback(link.is_loopback);
    }
    auto addresses = out.initAddresses(static_cast<unsigned>(state.addresses.size()));
    for (unsigned i = 0; i < addresses.size(); ++i) {
        const Address& address = state.addresses[i];
        addresses[i].setLink(address.link);
        addresses[i].setLocal(data_of(address.local));
        addresses[i].setPeer(data_of(address.peer));
        addresses[i].setBroadcast(data_of(address.broadcast));
        addresses[i].setPrefix(address.prefix);
        addresses[i].setScope(address.scope);
        addresses[i].setFlags(address.flags);
    }
    auto routes = out.initRoutes(static_cast<unsigned>(state.routes.size()));
    for (unsigned i = 0; i < routes.size(); ++i) {
        const Route& route = state.routes[i];
        routes[i].setLink(route.link);
        routes[i].setDestination(data_of(route.destination));
        routes[i].setGateway(data_of(route.gateway));
        routes[i].setSource(data_of(route.source));
        routes[i].setPrefix(route.prefix);
        routes[i].setType(route.type);
        routes[i].setScope(route.scope);
        routes[i].setProtocol(route.protocol);
        routes[i].setTos(route.tos);
        routes[i].setIsOnlink(route.is_onlink);
        routes[i].setMetric(route.metric);
        routes[i].setMtu(route.mtu);
    }
    auto neighbours = out.initNeighbours(static_cast<unsigned>(state.neighbours.size()));
    for (unsigned i = 0; i < neighbours.size(); ++i) {
        neighbours[i].setLink(state.neighbours[i].link);
        neighbours[i].setAddress(data_of(state.neighbours[i].address));
        neighbours[i].setMac(data_of(state.neighbours[i].mac));
    }
    out.setHasResolver(state.has_resolver);
}

Result<State> read_message(protocol::Network::Reader network) {
    return Reader().read(network);
}

} // namespace runvm::network
