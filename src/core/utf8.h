#pragma once
// UTF-8 (RFC 3629), and texts of others on the way to a terminal.

#include <cstdint>
#include <string>
#include <string_view>

namespace runvm {

/// A sequence at the start of a text, which is not empty. length 0: no valid UTF-8.
struct Utf8Sequence {
    size_t length;
    uint32_t code_point;
};
Utf8Sequence decode_utf8(std::string_view text);
std::string encode_utf8(uint32_t code_point);

/// At most 4 KiB of valid UTF-8; what is not printable becomes a `?`, a tab a space. Lines stay.
std::string printable_text(std::string_view text);

} // namespace runvm
