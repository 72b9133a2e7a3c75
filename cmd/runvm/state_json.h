#pragma once
// A container as `state` and `list` show it: runc's containerState (list.go).

#include "state/container.h"

#include <string>
#include <vector>

namespace runvm::commands {

/// One object, two spaces a level, with a newline at the end.
std::string state_json(const state::Container& container);
/// One array on one line, with a newline at the end.
std::string list_json(const std::vector<state::Container>& containers);
/// runc's table: columns of at least 12 characters, 3 of them space.
std::string list_table(const std::vector<state::Container>& containers);

} // namespace runvm::commands
