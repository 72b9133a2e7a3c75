#include "network/change.h"

#include "namespace_fixture.h"

#include <linux/rtnetlink.h>

namespace runvm::network {
namespace {

class ChangeTest : public NamespaceTest {
protected:
    void SetUp() override {
        NamespaceTest::SetUp();
        if (IsSkipped())
            return;
        run("ip link add nic type veth peer name p-nic && ip link set p-nic up");
        link.index = 7;
        link.name = "eth0";
        link.mac = {2, 0x42, 0xac, 0x11, 0, 2};
        link.mtu = 1400;
        link.up = true;
        link.has_ipv6 = true;
        numbers[7] = find(read(), "nic").index;
        wanted.links = {link};
        wanted.addresses = {address("172.17.0.2", 16), address("fd00::2", 64)};
    }

    static Address address(const std::string& local, uint8_t prefix) {
        Address made;
        made.link = 7;
        made.local = ip(local);
        made.prefix = prefix;
        return made;
    }
    static Route route(const std::string& destination, uint8_t prefix, const std::string& gateway = "") {
        Route made;
        made.link = 7;
        made.destination = ip(destination);
        made.prefix = prefix;
        made.type = RTN_UNICAST;
        made.protocol = RTPROT_BOOT;
        made.scope = gateway.empty() ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
        if (!gateway.empty())
            made.gateway = ip(gateway);
        return made;
    }

    void apply(const State& before, const State& after) {
        auto changed = change(*netlink, numbers, before, after);
        ASSERT_TRUE(changed) << changed.error().to_string();
    }
    bool has_address(const std::string& text) {
        for (const Address& found : read().state.addresses)
            if (to_string(found.local) == text)
                return true;
        return false;
    }
    bool has_route(const std::string& text, const std::string& gateway = "none") {
        for (const Route& found : read().state.routes)
            if (to_string(found.destination) == text && to_string(found.gateway) == gateway)
                return true;
        return false;
    }

    Link link;
    LinkNumbers numbers;
    State wanted;
};

TEST_F(ChangeTest, MakesALinkAsItIsWanted) {
    // The gateway's way comes after the default route, and is needed for it.
    wanted.routes = {route("0.0.0.0", 0, "169.254.1.1"), route("169.254.1.1", 32), route("::", 0, "fd00::1")};
    wanted.neighbours = {{7, ip("172.17.0.9"), {2, 0, 0, 0, 0, 9}}};
    apply({}, wanted);
    Link made = find(read(), "eth0");
    EXPECT_EQ(made.mac, link.mac);
    EXPECT_EQ(made.mtu, 1400U);
    EXPECT_TRUE(made.up);
    EXPECT_TRUE(has_address("172.17.0.2"));
    EXPECT_TRUE(has_address("fd00::2"));
    EXPECT_TRUE(has_route("0.0.0.0", "169.254.1.1"));
    EXPECT_TRUE(has_route("::", "fd00::1"));
    EXPECT_EQ(read().state.neighbours.size(), 1U);
}

TEST_F(ChangeTest, CanBeDoneAgain) {
    wanted.routes = {route("0.0.0.0", 0, "172.17.0.1")};
    apply({}, wanted);
    State first = read().state;
    apply({}, wanted);
    EXPECT_EQ(read().state, first);
}

TEST_F(ChangeTest, RemovesOnlyWhatWasWantedBefore) {
    wanted.routes = {route("10.9.0.0", 16, "172.17.0.1")};
    apply({}, wanted);
    run("ip addr add 10.44.0.77/16 dev eth0 && ip route add 10.8.0.0/16 via 10.44.0.1");
    State after = wanted;
    after.routes.clear();
    after.addresses = {address("172.17.0.3", 16)};
    apply(wanted, after);
    EXPECT_FALSE(has_address("fd00::2"));
    EXPECT_FALSE(has_route("10.9.0.0", "172.17.0.1"));
    EXPECT_TRUE(has_address("172.17.0.3"));
    EXPECT_TRUE(has_address("10.44.0.77"));
    EXPECT_TRUE(has_route("10.8.0.0", "10.44.0.1"));
}

TEST_F(ChangeTest, WhatIsGoneAlreadyIsNoError) {
    apply({}, wanted);
    run("ip addr flush dev eth0");
    State after = wanted;
    after.addresses.clear();
    apply(wanted, after);
    run("ip link del eth0");
    numbers.clear();
    apply(after, {});
}

TEST_F(ChangeTest, RenamesALinkWhoseNameIsTaken) {
    // The kernel gave the names the other way round.
    run("ip link set nic name eth1 && ip link add eth0 type veth peer name p-eth0 && ip link set p-eth0 up");
    Link second = link;
    second.index = 8;
    second.name = "eth1";
    second.mac[5] = 3;
    numbers[8] = find(read(), "eth0").index;
    wanted.links.push_back(second);
    apply({}, wanted);
    EXPECT_EQ(find(read(), "eth0").index, numbers[7]);
    EXPECT_EQ(find(read(), "eth1").index, numbers[8]);
}

TEST_F(ChangeTest, ALinkWithANewNameKeepsWhatIsOnIt) {
    wanted.routes = {route("0.0.0.0", 0, "172.17.0.1")};
    apply({}, wanted);
    State after = wanted;
    after.links[0].name = "net7";
    apply(wanted, after);
    EXPECT_TRUE(find(read(), "net7").up);
    EXPECT_TRUE(has_address("fd00::2"));
    EXPECT_TRUE(has_route("0.0.0.0", "172.17.0.1"));
}

TEST_F(ChangeTest, ALinkThatGoesIsTakenDown) {
    apply({}, wanted);
    apply(wanted, {});
    EXPECT_FALSE(find(read(), "eth0").up);
    EXPECT_FALSE(has_address("172.17.0.2"));
}

TEST_F(ChangeTest, TurnsIpv6OffAndOn) {
    wanted.addresses.pop_back();
    wanted.links[0].has_ipv6 = false;
    apply({}, wanted);
    EXPECT_FALSE(find(read(), "eth0").has_ipv6);
    State after = wanted;
    after.links[0].has_ipv6 = true;
    apply(wanted, after);
    EXPECT_TRUE(find(read(), "eth0").has_ipv6);
}

TEST_F(ChangeTest, AddressesAreUsableAtOnce) {
    wanted.addresses = {address("fe80::42", 64), address("fd00::2", 64)};
    wanted.addresses[0].scope = RT_SCOPE_LINK;
    apply({}, wanted);
    // "tentative": the kernel would still ask whether it is another's.
    run("test -z \"$(ip -6 addr show dev eth0 tentative)\"");
    run("ip -6 addr show dev eth0 | grep -q fe80::42");
}

TEST_F(ChangeTest, AnErrorNamesTheLinkAndTheAddress) {
    wanted.routes = {route("0.0.0.0", 0, "8.8.8.8")};
    auto changed = change(*netlink, numbers, {}, wanted);
    ASSERT_FALSE(changed);
    EXPECT_NE(changed.error().to_string().find("route 0.0.0.0/0 via 8.8.8.8"), std::string::npos)
        << changed.error().to_string();
}

TEST_F(ChangeTest, LoIsFoundWithoutANic) {
    State lo;
    lo.links = {find(read(), "lo")};
    auto found = find_nics(*netlink, lo);
    ASSERT_TRUE(found);
    EXPECT_EQ(*found, (LinkNumbers{{lo.links[0].index, 1}}));
    State nic;
    nic.links = {link};
    EXPECT_TRUE(find_nics(*netlink, nic)->empty());
}

} // namespace
} // namespace runvm::network
