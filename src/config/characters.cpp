#include "config/characters.h"

#include "core/utf8.h"

#include <algorithm>

namespace runvm::config {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
constexpr uint32_t plane_16 = 0x10'0000;

/// `text` with each character that `is_wanted` moved by `distance`.
template <class IsWanted>
std::string moved(std::string_view text, IsWanted is_wanted, uint32_t distance) {
    std::string result;
    while (!text.empty()) {
        auto [length, code_point] = decode_utf8(text);
        if (length > 0 && is_wanted(code_point))
            result += encode_utf8(code_point + distance);
        else
            result += text.substr(0, std::max<size_t>(length, 1));
        text.remove_prefix(std::max<size_t>(length, 1));
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
    return result + moved(
                        text, [](uint32_t c) { return c >= 0x80 && c <= 0xffff; }, plane_16);
}

std::string lowered(std::string_view text) {
    return moved(
        text, [](uint32_t c) { return c >= plane_16; }, 0U - plane_16);
}

std::optional<size_t> line_of_plane_16(std::string_view text) {
    size_t place = std::min(text.find('\xf4'), text.find("\\U0010"));
    if (place == std::string_view::npos)
        return std::nullopt;
    return 1 +
           static_cast<size_t>(std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(place), '\n'));
}

} // namespace runvm::config
