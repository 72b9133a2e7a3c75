#include "runtime/commands.h"

namespace runvm::runtime {

void Context::trace(const std::string& step) const {
    if (log == nullptr || !log->is_debug())
        return;
    auto spent = std::chrono::steady_clock::now() - begin;
    auto spent_ms = std::chrono::duration_cast<std::chrono::milliseconds>(spent).count();
    log->debug(step + " (" + std::to_string(spent_ms) + " ms)");
}

} // namespace runvm::runtime
