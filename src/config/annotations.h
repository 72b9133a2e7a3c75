#pragma once
// Configuration keys that a bundle's annotations may set, as far as the configuration file allows it.

#include "config/config.h"

#include <map>
#include <string>

namespace runvm::config {

/// Before the key's name: "io.runvm.config.hypervisor.vcpus" = "2".
inline constexpr const char* annotation_prefix = "io.runvm.config.";

/// `config` with what the annotations set; others are passed over. A key that annotations.allowed does not
/// have, or a value that the file could not have either, is an error that names the annotation. A list is
/// written as in TOML.
Result<Config> with_annotations(Config config, const std::map<std::string, std::string>& annotations);

/// May annotations.allowed have this key? Those that say where runvm keeps things, which other commands must
/// find again, may not.
bool may_be_annotated(const std::string& key);

} // namespace runvm::config
