#include "core/utf8.h"

#include <algorithm>

namespace runvm {
namespace {

constexpr size_t max_text_bytes = 4096;

/// Controls could drive a terminal, others reorder what a reader sees. An error may have several lines (a
/// boot's ends with the console's last ones).
bool printable(uint32_t code_point) {
    if (code_point == '\n')
        return true;
    bool control = code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
    bool line_or_direction = code_point == 0x2028 || code_point == 0x2029 ||
                             (code_point >= 0x200e && code_point <= 0x200f) ||
                             (code_point >= 0x202a && code_point <= 0x202e) ||
                             (code_point >= 0x2066 && code_point <= 0x2069) || code_point == 0xfeff;
    return !control && !line_or_direction;
}

} // namespace

Utf8Sequence decode_utf8(std::string_view text) {
    auto lead = static_cast<uint8_t>(text[0]);
    if (lead < 0x80)
        return {1, lead};
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < length)
        return {0, 0};
    uint32_t code_point = lead & (0xffU >> (length + 1));
    for (size_t i = 1; i < length; ++i) {
        auto next = static_cast<uint8_t>(text[i]);
        if ((next & 0xc0U) != 0x80)
            return {0, 0};
        code_point = code_point << 6U | (next & 0x3fU);
    }
    constexpr uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
    if (code_point < smallest[length] || surrogate || code_point > 0x10ffff)
        return {0, 0};
    return {length, code_point};
}

std::string encode_utf8(uint32_t code_point) {
    auto continuation = [&](unsigned shift) {
        return static_cast<char>(0x80U | (code_point >> shift & 0x3fU));
    };
    if (code_point < 0x80)
        return {static_cast<char>(code_point)};
    if (code_point < 0x800)
        return {static_cast<char>(0xc0U | code_point >> 6U), continuation(0)};
    if (code_point < 0x10000)
        return {static_cast<char>(0xe0U | code_point >> 12U), continuation(6), continuation(0)};
    return {static_cast<char>(0xf0U | code_point >> 18U), continuation(12), continuation(6), continuation(0)};
}

std::string printable_text(std::string_view text) {
    std::string out;
    out.reserve(std::min(text.size(), max_text_bytes));
    while (!text.empty()) {
        Utf8Sequence sequence = decode_utf8(text);
        std::string_view piece = "?";
        if (sequence.length > 0 && printable(sequence.code_point))
            piece = text.substr(0, sequence.length);
        else if (text[0] == '\t')
            piece = " ";
        if (out.size() + piece.size() > max_text_bytes)
            break;
        out += piece;
        text.remove_prefix(std::max<size_t>(sequence.length, 1));
    }
    return out;
}

} // namespace runvm
