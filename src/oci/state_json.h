#pragma once
// What `state` and `list` print, in runc's shapes (runtime.md, "State").

#include "state/container.h"

#include <string>
#include <vector>

namespace runvm::oci {

/// `state ID`: indented, without a final newline.
std::string state_json(const state::Container& container);

/// `list --format json`: one line, "null" for no containers.
std::string list_json(const std::vector<state::Container>& containers);

/// `list`: a table with a heading.
std::string list_table(const std::vector<state::Container>& containers);

} // namespace runvm::oci
