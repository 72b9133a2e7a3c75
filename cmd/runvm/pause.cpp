#include "command.h"

namespace runvm::commands {

Result<int> pause(const Call& call) {
    RUNVM_ASSIGN(const std::string id, container_id(call));
    RUNVM_ASSIGN(runtime::Context context, make_context(call));
    RUNVM_TRY(runtime::pause(context, id));
    return 0;
}

} // namespace runvm::commands
