#pragma once
// What is in a network namespace: links, addresses, routes, neighbours. The same form says what the host's
// namespace has, what the guest is told, and what the guest has been told before.

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace runvm::network {

/// An IPv4 or IPv6 address in network order; of neither family: none.
struct Ip {
    uint8_t family = 0; ///< AF_INET, AF_INET6, or 0
    std::array<uint8_t, 16> bytes{};

    size_t size() const;
    explicit operator bool() const { return family != 0; }
    auto operator<=>(const Ip&) const = default;
};

/// The address in `size` bytes, 4 or 16 of them; none for any other size.
Ip make_ip(const void* bytes, size_t size);
/// "10.0.0.1", "fe80::1", or "none".
std::string to_string(const Ip& ip);

using Mac = std::array<uint8_t, 6>;
std::string to_string(const Mac& mac);

struct Link {
    uint32_t index = 0; ///< its number in the host's namespace, which everything else refers to
    std::string name;
    Mac mac{};
    uint32_t mtu = 0;
    bool up = false;
    bool has_ipv6 = true; ///< net.ipv6.conf.<name>.disable_ipv6 is 0
    bool is_loopback = false;

    auto operator<=>(const Link&) const = default;
};

struct Address {
    uint32_t link = 0;
    Ip local;
    Ip peer; ///< of a point-to-point address; else none
    Ip broadcast;
    uint8_t prefix = 0;
    uint8_t scope = 0;  ///< RT_SCOPE_*
    uint32_t flags = 0; ///< IFA_F_NOPREFIXROUTE, IFA_F_MCAUTOJOIN: what can be asked for

    auto operator<=>(const Address&) const = default;
};

/// A route of the main table with one next hop at most.
struct Route {
    uint32_t link = 0; ///< 0: a route without one (unreachable, blackhole, prohibit)
    Ip destination;    ///< of the family that the route is of, also for a default route
    Ip gateway;
    Ip source; ///< preferred
    uint8_t prefix = 0;
    uint8_t type = 0; ///< RTN_*
    uint8_t scope = 0;
    uint8_t protocol = 0;
    uint8_t tos = 0;
    bool is_onlink = false;
    uint32_t metric = 0;
    uint32_t mtu = 0; ///< 0: the link's

    auto operator<=>(const Route&) const = default;
};

/// A permanent neighbour.
struct Neighbour {
    uint32_t link = 0;
    Ip address;
    Mac mac{};

    auto operator<=>(const Neighbour&) const = default;
};

struct State {
    std::vector<Link> links;
    std::vector<Address> addresses;
    std::vector<Route> routes;
    std::vector<Neighbour> neighbours;
    bool has_resolver = false; ///< somebody answers names at 127.0.0.11: Docker

    bool operator==(const State&) const = default;
};

/// Of a namespace that nobody has changed, but that lo is up: what a guest has by itself (agent/boot.cpp).
State lo_alone();

/// No namespace of a container has more of one kind; a message that says so is refused.
constexpr size_t max_links = 64;
constexpr size_t max_entries = 4096;

/// The permanent address of the guest's NIC for the host's link `index`, by which the agent finds it. The
/// address that it is to have is the link's, and may be that of another one (ipvlan).
Mac nic_address(uint32_t index);

} // namespace runvm::network
