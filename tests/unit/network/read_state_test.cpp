#include "namespace_fixture.h"

#include <linux/rtnetlink.h>

namespace runvm::network {
namespace {

using ReadState = NamespaceTest;

TEST_F(ReadState, OfANewNamespaceIsLoAlone) {
    Reading reading = read();
    Link lo = find(reading, "lo");
    EXPECT_TRUE(lo.is_loopback);
    EXPECT_FALSE(lo.up);
    EXPECT_TRUE(reading.state.addresses.empty());
    EXPECT_TRUE(reading.state.routes.empty());
}

TEST_F(ReadState, OfANewNamespaceWithLoUpIsLoAlone) {
    run("ip link set lo up");
    Reading reading = read();
    EXPECT_EQ(reading.state, lo_alone());
}

TEST_F(ReadState, HasWhatEnginesConfigure) {
    run("ip link add eth0 mtu 1400 address 02:42:ac:11:00:02 type veth peer name p-eth0 && ip link set "
        "p-eth0 up && ip link set eth0 up");
    run("ip addr add 172.17.0.2/16 broadcast 172.17.255.255 dev eth0");
    run("ip -6 addr add fd00::2/64 nodad dev eth0");
    run("ip route add default via 172.17.0.1 && ip -6 route add default via fd00::1 metric 7");
    run("ip route add 10.9.0.0/16 via 172.31.0.1 dev eth0 onlink src 172.17.0.2 mtu 1300");
    run("ip neigh add 172.17.0.9 lladdr 02:42:ac:11:00:09 dev eth0 nud permanent");
    Reading reading = read();
    Link link = find(reading, "eth0");
    EXPECT_EQ(to_string(link.mac), "02:42:ac:11:00:02");
    EXPECT_EQ(link.mtu, 1400U);
    EXPECT_TRUE(link.up);
    EXPECT_TRUE(link.has_ipv6);

    const State& state = reading.state;
    auto address = std::find_if(state.addresses.begin(), state.addresses.end(),
                                [](const Address& found) { return found.local == ip("172.17.0.2"); });
    ASSERT_NE(address, state.addresses.end());
    EXPECT_EQ(address->prefix, 16);
    EXPECT_EQ(to_string(address->broadcast), "172.17.255.255");
    auto route = std::find_if(state.routes.begin(), state.routes.end(),
                              [](const Route& found) { return found.is_onlink; });
    ASSERT_NE(route, state.routes.end());
    EXPECT_EQ(to_string(route->destination), "10.9.0.0");
    EXPECT_EQ(to_string(route->source), "172.17.0.2");
    EXPECT_EQ(route->mtu, 1300U);
    auto default6 = std::find_if(state.routes.begin(), state.routes.end(), [](const Route& found) {
        return found.destination.family == AF_INET6 && found.prefix == 0;
    });
    ASSERT_NE(default6, state.routes.end());
    EXPECT_EQ(default6->metric, 7U);
    EXPECT_EQ(to_string(default6->gateway), "fd00::1");
    ASSERT_EQ(state.neighbours.size(), 1U);
    EXPECT_EQ(to_string(state.neighbours[0].mac), "02:42:ac:11:00:09");
}

TEST_F(ReadState, LeavesOutOtherTables) {
    run("ip link add eth0 type veth peer name p-eth0 && ip link set p-eth0 up && ip link set eth0 up && ip "
        "addr add 10.0.0.2/24 dev eth0");
    run("ip route add 10.7.0.0/16 via 10.0.0.1 table 100");
    for (const Route& route : read().state.routes)
        EXPECT_NE(to_string(route.destination), "10.7.0.0");
}

TEST_F(ReadState, KnowsALinkWithoutIpv6AndAPortOfABridge) {
    run("ip link add br0 type bridge && ip link add eth0 type veth peer name p-eth0 && ip link set p-eth0 up "
        "&& ip link set eth0 master br0");
    run("echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6");
    Reading reading = read();
    EXPECT_FALSE(find(reading, "eth0").has_ipv6);
    EXPECT_TRUE(find(reading, "br0").has_ipv6);
    for (const LinkDetails& details : reading.links)
        EXPECT_EQ(details.master != 0, details.link.name == "eth0");
}

TEST_F(ReadState, IsOfTheNamespaceThatASocketWasMadeIn) {
    auto other = os::open_file("/proc/thread-self/ns/net", O_RDONLY);
    ASSERT_TRUE(other);
    Namespace space(std::move(*other));
    run("ip link add here type veth peer name p-here && ip link set p-here up");
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
    std::optional<Netlink> inside;
    auto opened = space.run([&]() -> Result<void> {
        RUNVM_ASSIGN(Netlink made, Netlink::open());
        inside.emplace(std::move(made));
        return {};
    });
    ASSERT_TRUE(opened) << opened.error().to_string();
    auto reading = read_state(*inside);
    ASSERT_TRUE(reading);
    EXPECT_EQ(find(*reading, "here").name, "here");
    auto outside = Netlink::open();
    ASSERT_TRUE(outside);
    EXPECT_EQ(read_state(*outside)->links.size(), 1U);
}

} // namespace
} // namespace runvm::network
