#pragma once
// JSON as Go's encoding/json writes it, for what callers compare or read line by line.

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace runvm::oci {

/// `indent` spaces a level; 0: all on one line. As in Go, <, > and & are escaped, and bytes that are not
/// UTF-8 are replaced. No final newline.
std::string go_json(const nlohmann::ordered_json& json, int indent);

} // namespace runvm::oci
