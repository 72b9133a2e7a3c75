#pragma once
// A test in a network namespace of its own, with links that `ip` makes.

#include "network/change.h"
#include "network/namespace.h"
#include "network/netlink.h"
#include "network/read_state.h"
#include "os/file.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>

namespace runvm::network {

class NamespaceTest : public testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0)
            GTEST_SKIP() << "network namespaces are root's";
        before_ = os::Fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
        ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
        auto opened = Netlink::open();
        ASSERT_TRUE(opened) << opened.error().to_string();
        netlink.emplace(std::move(*opened));
    }
    void TearDown() override {
        if (before_) {
            ASSERT_EQ(::setns(before_.get(), CLONE_NEWNET), 0);
        }
    }

    static void run(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

    Reading read() {
        auto reading = read_state(*netlink);
        EXPECT_TRUE(reading) << reading.error().to_string();
        return reading ? *reading : Reading{};
    }

    static Link find(const Reading& reading, const std::string& name) {
        for (const LinkDetails& details : reading.links)
            if (details.link.name == name)
                return details.link;
        ADD_FAILURE() << "there is no link " << name;
        return {};
    }

    std::optional<Netlink> netlink;

private:
    os::Fd before_;
};

inline Ip ip(const std::string& text) {
    std::array<unsigned char, 16> bytes{};
    bool is_v6 = text.find(':') != std::string::npos;
    EXPECT_EQ(::inet_pton(is_v6 ? AF_INET6 : AF_INET, text.c_str(), bytes.data()), 1) << text;
    return make_ip(bytes.data(), is_v6 ? 16 : 4);
}

} // namespace runvm::network
