#include "config/characters.h"

#include <algorithm>

namespace runvm::config {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

bool continues(char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) == 0x80;
}

char32_t low_bits(char c, unsigned mask) {
    return static_cast<unsigned char>(c) & mask;
}

std::string in_plane_16(char32_t c) {
    return {'\xf4', static_cast<char>(0x80U | (c >> 12U & 0x0fU)),
            static_cast<char>(0x80U | (c >> 6U & 0x3fU)), static_cast<char>(0x80U | (c & 0x3fU))};
}

std::string in_plane_0(char32_t c) {
    auto last = static_cast<char>(0x80U | (c & 0x3fU));
    if (c < 0x800)
        return {static_cast<char>(0xc0U | (c >> 6U)), last};
    return {static_cast<char>(0xe0U | (c >> 12U)), static_cast<char>(0x80U | (c >> 6U & 0x3fU)), last};
}

struct Character {
    size_t bytes; ///< 0 if none of the asked kind begins here
    char32_t code;
};

/// A character from U+0080 to U+FFFF; surrogates and overlong forms are none.
Character of_plane_0(std::string_view text) {
    if (text.size() >= 2 && (text[0] & '\xe0') == '\xc0' && continues(text[1])) {
        char32_t code = low_bits(text[0], 0x1f) << 6U | low_bits(text[1], 0x3f);
        return {code >= 0x80 ? size_t{2} : 0, code};
    }
    if (text.size() >= 3 && (text[0] & '\xf0') == '\xe0' && continues(text[1]) && continues(text[2])) {
        char32_t code =
            low_bits(text[0], 0x0f) << 12U | low_bits(text[1], 0x3f) << 6U | low_bits(text[2], 0x3f);
        bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
        return {code >= 0x800 && !is_surrogate ? size_t{3} : 0, code};
    }
    return {0, 0};
}

Character of_plane_16(std::string_view text) {
    if (text.size() < 4 || text[0] != '\xf4' || !std::all_of(&text[1], &text[1] + 3, continues))
        return {0, 0};
    char32_t code = low_bits(text[1], 0x0f) << 12U | low_bits(text[2], 0x3f) << 6U | low_bits(text[3], 0x3f);
    return {4, code};
}

template <class Find, class Write>
std::string replaced(std::string_view text, Find find, Write write) {
    std::string result;
    while (!text.empty()) {
        auto [bytes, code] = find(text);
        result += bytes != 0 ? write(code) : std::string(1, text[0]);
        text.remove_prefix(std::max<size_t>(bytes, 1));
    }
    return result;
}

} // namespace

std::string raised(std::string_view text) {
    std::string result;
    if (text.starts_with(byte_order_mark)) {
        result = byte_order_mark;
        text.remove_prefix(byte_order_mark.size());
    }
    return result + replaced(text, of_plane_0, in_plane_16);
}

std::string lowered(std::string_view text) {
    return replaced(text, of_plane_16, in_plane_0);
}

std::optional<size_t> line_of_plane_16(std::string_view text) {
    size_t place = std::min(text.find('\xf4'), text.find("\\U0010"));
    if (place == std::string_view::npos)
        return std::nullopt;
    return 1 +
           static_cast<size_t>(std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(place), '\n'));
}

} // namespace runvm::config
