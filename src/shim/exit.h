#pragma once
// Ends this process as another one ended.

namespace runvm::shim {

struct Ending {
    int code = 0;
    int signal = 0; ///< if not 0: killed by it
};

/// Callers take the shim's wait status for the container's: conmon and containerd compute 128+n from the
/// signal.
[[noreturn]] void end_like(const Ending& ending);

} // namespace runvm::shim
