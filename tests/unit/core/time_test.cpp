#include "core/time.h"

#include <gtest/gtest.h>

namespace runvm {
namespace {

TEST(format_time, has_no_trailing_zeros) {
    EXPECT_EQ(format_time(0), "1970-01-01T00:00:00Z");
    EXPECT_EQ(format_time(1'500'000'000), "1970-01-01T00:00:01.5Z");
    EXPECT_EQ(format_time(1'000'000'001), "1970-01-01T00:00:01.000000001Z");
    EXPECT_EQ(format_time(-1), "1969-12-31T23:59:59.999999999Z");
}

} // namespace
} // namespace runvm
