#include "network/link.h"

#include "network/read_state.h"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace runvm::network {

Result<uint32_t> link_index(Netlink& netlink, const std::string& name) {
    RUNVM_ASSIGN(Reading reading, read_state(netlink));
    for (const LinkDetails& details : reading.links)
        if (details.link.name == name)
            return details.link.index;
    return Error(ErrorKind::not_found, "there is no link " + name);
}

Result<void> move_link(Netlink& netlink, uint32_t link, int namespace_fd) {
    ifinfomsg header{};
    header.ifi_index = static_cast<int>(link);
    Message message(RTM_NEWLINK, 0);
    message.header(header).put_number(IFLA_NET_NS_FD, static_cast<uint32_t>(namespace_fd));
    return netlink.request(message, "move the tap into the container's network namespace");
}

Result<void> bring_up(Netlink& netlink, uint32_t link, uint32_t mtu, unsigned flags) {
    ifinfomsg header{};
    header.ifi_index = static_cast<int>(link);
    Message quiet(RTM_NEWLINK, 0);
    quiet.header(header).nest(IFLA_AF_SPEC, [](Message& families) {
        families.nest(AF_INET6, [](Message& inet6) {
            uint8_t none = IN6_ADDR_GEN_MODE_NONE;
            inet6.put(IFLA_INET6_ADDR_GEN_MODE, &none, sizeof none);
        });
    });
    (void)netlink.request(quiet, "turn IPv6 addresses off"); // a kernel without IPv6 makes none
    header.ifi_flags = IFF_UP | flags;
    header.ifi_change = IFF_UP | flags;
    Message up(RTM_NEWLINK, 0);
    up.header(header).put_number(IFLA_MTU, mtu);
    return netlink.request(up, "bring the tap up");
}

} // namespace runvm::network
