#pragma once

#include <optional>
#include <string_view>

namespace runvm::config {

/// The first line of a TOML text with a character above ASCII that is neither in a comment nor in a string of
/// one line; nothing if there is none. TOML has none there, and no key of ours is of several lines.
///
/// Asked before toml++ sees the text: version 3.3 runs into __builtin_unreachable when such a character
/// stands where white space may (is_non_ascii_horizontal_whitespace; found by
/// tests/fuzz/config_toml_fuzz.cpp).
std::optional<unsigned> line_of_misplaced_character(std::string_view text);

} // namespace runvm::config
