#include "config/annotations.h"
#include "runtime/commands.h"

namespace runvm::runtime {

void Context::trace(const std::string& step) const {
    if (log == nullptr || !log->is_debug())
        return;
    auto spent = std::chrono::steady_clock::now() - begin;
    auto spent_ms = std::chrono::duration_cast<std::chrono::milliseconds>(spent).count();
    log->debug(step + " (" + std::to_string(spent_ms) + " ms)");
}

Result<state::Container> load(Context& context, const std::string& id) {
    RUNVM_ASSIGN(state::Container container, context.store->load(id));
    // What the file does not allow any more was allowed when the container was made; its machine has it.
    if (auto config = config::with_annotations(context.config, container.annotations))
        context.config = *std::move(config);
    return container;
}

} // namespace runvm::runtime
