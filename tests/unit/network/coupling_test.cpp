#include "network/coupling.h"
#include "network/link.h"

#include "namespace_fixture.h"

#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <cstring>

namespace runvm::network {
namespace {

class Coupling : public NamespaceTest {
protected:
    void SetUp() override {
        NamespaceTest::SetUp();
        if (IsSkipped())
            return;
        run("ip link add eth0 type veth peer name peer && ip link set eth0 up && ip link set peer up");
        tap = make_tap("rvtap0");
        link_number = number("eth0");
        tap_number = number("rvtap0");
    }

    // Lives as long as its descriptor, as QEMU's does.
    static os::Fd make_tap(const char* name) {
        os::Fd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
        ifreq request{};
        std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
        request.ifr_flags = IFF_TAP | IFF_NO_PI;
        EXPECT_EQ(::ioctl(fd.get(), TUNSETIFF, &request), 0);
        return fd;
    }
    uint32_t number(const std::string& name) {
        auto index = link_index(*netlink, name);
        EXPECT_TRUE(index);
        return index ? *index : 0;
    }
    static std::string filters_of(const std::string& link) {
        std::string text;
        FILE* pipe = ::popen(("tc filter show dev " + link + " ingress").c_str(), "r");
        std::array<char, 512> line{};
        while (::fgets(line.data(), line.size(), pipe) != nullptr)
            text += line.data();
        ::pclose(pipe);
        return text;
    }

    os::Fd tap;
    uint32_t link_number = 0;
    uint32_t tap_number = 0;
};

TEST_F(Coupling, RedirectsBothWays) {
    auto coupled = couple(*netlink, link_number, tap_number);
    ASSERT_TRUE(coupled) << coupled.error().to_string();
    EXPECT_NE(filters_of("eth0").find("Egress Redirect to device rvtap0"), std::string::npos);
    EXPECT_NE(filters_of("rvtap0").find("Egress Redirect to device eth0"), std::string::npos);
    EXPECT_TRUE(couple(*netlink, link_number, tap_number)); // again
}

TEST_F(Coupling, CarriesFrames) {
    ASSERT_TRUE(bring_up(*netlink, tap_number, 1500));
    ASSERT_TRUE(couple(*netlink, link_number, tap_number));
    // Somebody asks for an address at the other end of the link: the machine hears it, and the namespace,
    // which has the address, does not answer.
    run("ip addr add 10.5.0.2/24 dev eth0 && ip addr add 10.5.0.1/24 dev peer");
    run("busybox arping -c 1 -w 1 -I peer 10.5.0.99 >/dev/null; true");
    ::fcntl(tap.get(), F_SETFL, O_NONBLOCK);
    bool has_request = false;
    std::array<unsigned char, 2048> frame{};
    while (::read(tap.get(), frame.data(), frame.size()) > 0)
        has_request |= frame[12] == 0x08 && frame[13] == 0x06; // ARP
    EXPECT_TRUE(has_request);
}

TEST_F(Coupling, IsTakenAwayAgain) {
    ASSERT_TRUE(couple(*netlink, link_number, tap_number));
    ASSERT_TRUE(uncouple(*netlink, link_number));
    EXPECT_EQ(filters_of("eth0"), "");
    EXPECT_TRUE(uncouple(*netlink, link_number));
    EXPECT_TRUE(uncouple(*netlink, 4711)); // a link that is gone
}

TEST_F(Coupling, OfALivingMachineIsNotTaken) {
    ASSERT_TRUE(couple(*netlink, link_number, tap_number));
    os::Fd second = make_tap("rvtap1");
    auto refused = couple(*netlink, link_number, number("rvtap1"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), ErrorKind::already_exists);
    EXPECT_TRUE(uncouple_abandoned(*netlink));
    EXPECT_NE(filters_of("eth0"), "");
}

TEST_F(Coupling, OnlyTheMachineThatHasItLetsItGo) {
    ASSERT_TRUE(couple(*netlink, link_number, tap_number));
    os::Fd second = make_tap("rvtap1");
    EXPECT_TRUE(uncouple(*netlink, link_number, number("rvtap1")));
    EXPECT_NE(filters_of("eth0"), "");
    EXPECT_TRUE(uncouple(*netlink, link_number, tap_number));
    EXPECT_EQ(filters_of("eth0"), "");
}

TEST_F(Coupling, OfAMachineThatIsGoneIsReplacedOrRemoved) {
    ASSERT_TRUE(couple(*netlink, link_number, tap_number));
    tap.reset();
    os::Fd second = make_tap("rvtap1");
    ASSERT_TRUE(couple(*netlink, link_number, number("rvtap1")));
    second.reset();
    ASSERT_TRUE(uncouple_abandoned(*netlink));
    EXPECT_EQ(filters_of("eth0"), "");
    run("test -z \"$(tc qdisc show dev eth0 ingress)\"");
}

TEST_F(Coupling, FiltersOfOthersStay) {
    run("tc qdisc add dev eth0 ingress");
    auto refused = couple(*netlink, link_number, tap_number);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), ErrorKind::already_exists);
    EXPECT_TRUE(uncouple(*netlink, link_number));
    run("tc qdisc show dev eth0 ingress | grep -q ingress");
}

TEST_F(Coupling, ATapIsMovedToAnotherNamespace) {
    auto here = os::open_file("/proc/thread-self/ns/net", O_RDONLY);
    ASSERT_TRUE(here);
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
    os::Fd moving = make_tap("rvtap9");
    auto elsewhere = Netlink::open();
    ASSERT_TRUE(elsewhere);
    auto index = link_index(*elsewhere, "rvtap9");
    ASSERT_TRUE(index);
    auto moved = move_link(*elsewhere, *index, here->get());
    ASSERT_TRUE(moved) << moved.error().to_string();
    EXPECT_FALSE(link_index(*elsewhere, "rvtap9"));
    EXPECT_TRUE(link_index(*netlink, "rvtap9"));
}

TEST_F(Coupling, ATapHasNoAddressOfItsOwn) {
    ASSERT_TRUE(bring_up(*netlink, tap_number, 1400));
    Link prepared = find(read(), "rvtap0");
    EXPECT_TRUE(prepared.up);
    EXPECT_EQ(prepared.mtu, 1400U);
    run("test -z \"$(ip -6 addr show dev rvtap0)\"");
}

} // namespace
} // namespace runvm::network
