#pragma once
// Capability names. The numbers are the kernel's; the names libcap's.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace runvm::oci {

/// The number of "CAP_CHOWN" and its kin, in capitals as runc wants them.
std::optional<unsigned> capability_number(const std::string& name);

/// All names, by number: for `features`.
const std::vector<std::string>& known_capabilities();

} // namespace runvm::oci
