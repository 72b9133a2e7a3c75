#include "core/utf8.h"

#include <gtest/gtest.h>

namespace runvm {
namespace {

TEST(Utf8Test, EncodesWhatItDecodes) {
    for (uint32_t code_point : {0x41U, 0x7fU, 0x80U, 0x7ffU, 0x800U, 0x1680U, 0xffffU, 0x10000U, 0x10ffffU}) {
        std::string text = encode_utf8(code_point);
        auto [length, decoded] = decode_utf8(text + "x");
        EXPECT_EQ(length, text.size()) << code_point;
        EXPECT_EQ(decoded, code_point);
    }
}

TEST(Utf8Test, RefusesWhatIsNone) {
    for (const char* text : {"\x80", "\xc3", "\xc1\x81", "\xe1\x9a", "\xe0\x81\x81", "\xed\xa0\x80", "\xff",
                             "\xf4\x90\x80\x80", "\xf5\x80\x80\x80"})
        EXPECT_EQ(decode_utf8(text).length, 0U) << testing::PrintToString(text);
}

TEST(Utf8Test, NothingReachesATerminalThatDrivesIt) {
    EXPECT_EQ(printable_text("a\x1b[1m\tb\x7f\xc2\x9b\x9b\xc3\xa9\n"), "a?[1m b???\xc3\xa9\n");
}

} // namespace
} // namespace runvm
