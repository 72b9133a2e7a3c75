#include "network/served.h"

#include "network/link.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

namespace runvm::network {

namespace {

// What the kernel's tunnel modules put into every new namespace (net/core/sysctl_net_core.c,
// fb_tunnels_only_for_init_net); of these the ones that are Ethernet links.
constexpr std::array<std::string_view, 3> fallback_tunnels = {"gretap0", "erspan0", "ip6gretap0"};

bool is_served(const LinkDetails& details) {
    const std::string& name = details.link.name;
    bool is_fallback =
        std::find(fallback_tunnels.begin(), fallback_tunnels.end(), name) != fallback_tunnels.end();
    return details.link.is_loopback ||
           (details.is_ethernet && details.master == 0 && !is_fallback && !name.starts_with(tap_prefix));
}

} // namespace

State served_state(const Reading& reading) {
    std::set<uint32_t> served = {0}; // entries without a link
    State state;
    for (const LinkDetails& details : reading.links)
        if (is_served(details)) {
            served.insert(details.link.index);
            state.links.push_back(details.link);
        }
    auto copy_served = [&](const auto& from, auto& to) {
        for (const auto& entry : from)
            if (served.count(entry.link) != 0)
                to.push_back(entry);
    };
    copy_served(reading.state.addresses, state.addresses);
    copy_served(reading.state.routes, state.routes);
    copy_served(reading.state.neighbours, state.neighbours);
    return state;
}

} // namespace runvm::network
