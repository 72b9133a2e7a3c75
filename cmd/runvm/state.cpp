#include "command.h"

#include "oci/state_json.h"

namespace runvm::commands {

Result<int> state(const Call& call) {
    RUNVM_ASSIGN(const std::string id, container_id(call));
    RUNVM_ASSIGN(const runtime::Context context, make_context(call));
    RUNVM_ASSIGN(const state::Container container, context.store->load(id));
    return print(oci::state_json(container));
}

} // namespace runvm::commands
