#include "network/state.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace runvm::network {

size_t Ip::size() const {
    if (family == AF_INET)
        return sizeof(in_addr);
    return family == AF_INET6 ? sizeof(in6_addr) : 0;
}

Ip make_ip(const void* bytes, size_t size) {
    Ip ip;
    if (size == sizeof(in_addr))
        ip.family = AF_INET;
    else if (size == sizeof(in6_addr))
        ip.family = AF_INET6;
    else
        return ip;
    std::memcpy(ip.bytes.data(), bytes, size);
    return ip;
}

std::string to_string(const Ip& ip) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (!ip || ::inet_ntop(ip.family, ip.bytes.data(), text.data(), text.size()) == nullptr)
        return "none";
    return text.data();
}

std::string to_string(const Mac& mac) {
    std::array<char, 18> text{};
    std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
                  mac[4], mac[5]);
    return text.data();
}

State lo_alone() {
    Link lo;
    lo.index = 1;
    lo.name = "lo";
    lo.mtu = 65536;
    lo.up = true;
    lo.is_loopback = true;
    Address ipv4;
    ipv4.link = lo.index;
    ipv4.prefix = 8;
    ipv4.scope = RT_SCOPE_HOST;
    Address ipv6 = ipv4;
    const in_addr address{htonl(INADDR_LOOPBACK)};
    ipv4.local = make_ip(&address, sizeof address);
    ipv6.local = make_ip(&in6addr_loopback, sizeof in6addr_loopback);
    ipv6.prefix = 128;
    State state;
    state.links = {lo};
    state.addresses = {ipv4, ipv6};
    return state;
}

Mac nic_address(uint32_t index) {
    constexpr uint8_t locally_administered = 0x02;
    constexpr uint8_t ours = 'r';
    return {locally_administered,
            ours,
            static_cast<uint8_t>(index >> 24U),
            static_cast<uint8_t>(index >> 16U),
            static_cast<uint8_t>(index >> 8U),
            static_cast<uint8_t>(index)};
}

} // namespace runvm::network
