#include "network/resolver.h"

#include "namespace_fixture.h"
#include "network/coupling.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdio>

namespace runvm::network {
namespace {

/// As the kernel prints it.
std::string entry(uint32_t address, const char* peer) {
    std::array<char, 200> line{};
    std::snprintf(line.data(), line.size(),
                  "  %d: %08X:A3C1 %s 07 00000000:00000000 00:00000000 00000000     0        0 99 2 0 0\n",
                  42, htonl(address), peer);
    return line.data();
}

const std::string heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n";
constexpr const char* nobody = "00000000:0000";
constexpr uint32_t localhost = 0x7f000001;

TEST(NamesResolver, FindsASocketAtItsAddress) {
    EXPECT_TRUE(names_resolver(heading + entry(localhost, nobody) + entry(resolver_address, nobody)));
}

TEST(NamesResolver, WantsItsAddress) {
    EXPECT_FALSE(names_resolver(""));
    EXPECT_FALSE(names_resolver(heading));
    EXPECT_FALSE(names_resolver(heading + entry(localhost, nobody) + entry(0, nobody)));
}

TEST(NamesResolver, TakesWhoAsksForNone) {
    EXPECT_FALSE(names_resolver(heading + entry(resolver_address, "0B00007F:0035")));
    EXPECT_FALSE(names_resolver(heading + entry(localhost, "0B00007F:0000")));
}

class ResolverTest : public NamespaceTest {
protected:
    void SetUp() override {
        NamespaceTest::SetUp();
        if (!IsSkipped())
            run("ip link set lo up");
    }

    /// A datagram socket at the resolver's address.
    static os::Fd listen(uint16_t port) {
        os::Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(resolver_address);
        EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        return socket;
    }
};

TEST_F(ResolverTest, IsSeenInTheThreadsNamespace) {
    auto before = has_resolver();
    ASSERT_TRUE(before) << before.error().to_string();
    EXPECT_FALSE(*before);
    os::Fd resolver = listen(0);
    auto after = has_resolver();
    ASSERT_TRUE(after) << after.error().to_string();
    EXPECT_TRUE(*after);
}

TEST_F(ResolverTest, WhoAsksItGetsAPortThatAnswersComeThroughTo) {
    auto used = use_own_ports();
    ASSERT_TRUE(used) << used.error().to_string();
    os::Fd resolver = listen(name_port);
    auto socket = connect_to_resolver(false);
    ASSERT_TRUE(socket) << socket.error().to_string();
    ASSERT_EQ(::send(socket->get(), "query", 5, 0), 5);
    sockaddr_in from{};
    socklen_t size = sizeof from;
    std::array<char, 16> bytes{};
    ASSERT_EQ(
        ::recvfrom(resolver.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), &size),
        5);
    EXPECT_GE(ntohs(from.sin_port), own_first_port);
}

} // namespace
} // namespace runvm::network
