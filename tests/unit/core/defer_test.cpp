#include "core/defer.h"

#include <gtest/gtest.h>

#include <string>

namespace runvm {
namespace {

TEST(DeferTest, RunsAtTheEndOfTheScopeInReverseOrder) {
    std::string order;
    {
        Defer first([&] { order += "1"; });
        Defer second([&] { order += "2"; });
        EXPECT_EQ(order, "");
    }
    EXPECT_EQ(order, "21");
}

TEST(DeferTest, DoesNotRunOnceDismissed) {
    bool ran = false;
    {
        Defer action([&] { ran = true; });
        action.dismiss();
    }
    EXPECT_FALSE(ran);
}

} // namespace
} // namespace runvm
