#pragma once
// `runvm features`: the specification's features structure (features.md), from the tables that parse a
// config.json.

#include <string>

namespace runvm::oci {

/// Indented as runc's, with a final newline.
std::string features_json(const std::string& unsafe_annotations);

} // namespace runvm::oci
