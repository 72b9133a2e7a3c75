#pragma once

#include <string_view>

namespace runvm {

/// Takes what `rest` has before the first `end`, and that, off it: a line of a text, a field of a line.
inline std::string_view take_until(std::string_view& rest, char end) {
    size_t at = rest.find(end);
    std::string_view taken = rest.substr(0, at);
    rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
    return taken;
}

} // namespace runvm
