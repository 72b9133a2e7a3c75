#include "oci/signals.h"

#include <gtest/gtest.h>

#include <csignal>

namespace runvm::oci {

TEST(signals, names_and_numbers) {
    EXPECT_EQ(*parse_signal("KILL"), SIGKILL);
    EXPECT_EQ(*parse_signal("SIGKILL"), SIGKILL);
    EXPECT_EQ(*parse_signal("sigterm"), SIGTERM);
    EXPECT_EQ(*parse_signal("Usr1"), SIGUSR1);
    EXPECT_EQ(*parse_signal("9"), 9);
    EXPECT_EQ(*parse_signal("0"), 0);
    EXPECT_EQ(*parse_signal("37"), 37);
    EXPECT_EQ(*parse_signal("64"), 64);
    EXPECT_EQ(*parse_signal("POLL"), SIGIO);
    EXPECT_EQ(*parse_signal("STKFLT"), SIGSTKFLT);
    EXPECT_EQ(*parse_signal("WINCH"), SIGWINCH);
    EXPECT_EQ(*parse_signal("SYS"), SIGSYS);
}

TEST(signals, unknown_ones_in_runcs_words) {
    for (const char* text :
         {"FOO", "", "SIG", "65", "-1", "9x", "SIGSIGKILL", "99999999999999", " 9", "EXIT"}) {
        auto result = parse_signal(text);
        ASSERT_FALSE(result) << text;
        EXPECT_EQ(result.error().message(), "unknown signal \"" + std::string(text) + "\"");
    }
}

} // namespace runvm::oci
