#include "core/number.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace runvm {
namespace {

TEST(WholeNumberTest, TakesAllOfTheText) {
    EXPECT_EQ(whole_number<uint32_t>("0"), 0U);
    EXPECT_EQ(whole_number<uint32_t>("4294967295"), 4294967295U);
    EXPECT_EQ(whole_number<int64_t>("-5"), -5);
    for (const char* text : {"", " 1", "1 ", "1x", "x", "+1", "-1", "4294967296", "0x1", "1.0"})
        EXPECT_FALSE(whole_number<uint32_t>(text)) << text;
}

} // namespace
} // namespace runvm
