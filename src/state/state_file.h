#pragma once
// state.json: a Container, without its config, as text.

#include "core/result.h"
#include "state/container.h"

#include <string>

namespace runvm::state {

/// One line of JSON, keys as the fields of Container. invalid_argument if a string is not UTF-8: JSON could
/// not give the same path back.
Result<std::string> format_state(const Container& container);

/// The reverse. Kind corrupted, with `name` (the file) and what is wrong, for anything that format_state has
/// not written: a missing or mistyped key, a number out of range, a relative path, an unknown version.
/// Unknown keys are left to later versions.
Result<Container> parse_state(const std::string& text, const std::string& name);

/// The error of kind corrupted: `what` is the matter with the file, and what to do next.
Error corrupted(const std::string& file, const std::string& what);

} // namespace runvm::state
