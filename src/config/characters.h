#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace runvm::config {

/// toml++ 3.3 runs into __builtin_unreachable when it asks of some characters up to U+FEFF whether they are
/// white space (is_non_ascii_horizontal_whitespace; found by tests/fuzz/config_toml_fuzz.cpp). Of characters
/// above it does not ask. So it is given a text whose characters from U+0080 to U+FFFF are raised to plane
/// 16, of private use, and what comes back is lowered again.

/// Bytes that are no UTF-8, and a byte order mark at the beginning, stay as they are.
std::string raised(std::string_view text);

/// Undoes raised(), also in parts of such a text.
std::string lowered(std::string_view text);

/// The first line that names a character of plane 16, itself or as an escape: lowered() would change it.
std::optional<size_t> line_of_plane_16(std::string_view text);

} // namespace runvm::config
