#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace runvm {

/// The whole of `text` as a decimal number, with a minus before it where Integer has a sign; nothing if it is
/// none, or out of Integer's range.
template <class Integer>
std::optional<Integer> whole_number(std::string_view text) {
    Integer value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

} // namespace runvm
