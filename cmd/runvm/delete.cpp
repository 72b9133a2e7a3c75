#include "command.h"

namespace runvm::commands {

Result<int> delete_container(const Call& call) {
    RUNVM_ASSIGN(const std::string id, container_id(call));
    RUNVM_ASSIGN(runtime::Context context, make_context(call));
    RUNVM_TRY(runtime::remove(context, id, call.line.flags.boolean("force")));
    return 0;
}

} // namespace runvm::commands
