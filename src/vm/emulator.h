#pragma once

#include "core/result.h"

#include <string>

namespace runvm::vm {

/// QEMU's program: `configured` (hypervisor.emulator), or qemu-system-x86_64 of PATH and the usual folders if
/// that is empty. not_found, with the next step, if there is none.
Result<std::string> find_emulator(const std::string& configured);

} // namespace runvm::vm
