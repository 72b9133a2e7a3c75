#include "vm/network/links.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace runvm::vm {
namespace {

TEST(Links, AreAllButLo) {
    const char* text = "Inter-|   Receive                  |  Transmit\n"
                       " face |bytes    packets errs drop  |bytes    packets\n"
                       "    lo:     100       1    0    0        100       1\n"
                       "  eth0: 1234567     890    0    0     765432     210\n"
                       "veth12ab@if3:0 0\n";
    EXPECT_EQ(parse_links(text), (std::vector<std::string>{"eth0", "veth12ab@if3"}));
    EXPECT_TRUE(parse_links("").empty());
}

TEST(Links, OfAProcessThatIsGoneAreAnError) {
    EXPECT_FALSE(links_of_process(-1));
    EXPECT_TRUE(links_of_process(::getpid()));
}

} // namespace
} // namespace runvm::vm
