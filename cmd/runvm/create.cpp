#include "command.h"

namespace runvm::commands {

Result<int> create(const Call& call) {
    RUNVM_ASSIGN(const runtime::CreateOptions options, create_options(call).context("runvm create failed"));
    RUNVM_ASSIGN(runtime::Context context, make_context(call));
    RUNVM_TRY(runtime::create(context, options).context("runvm create failed"));
    return 0;
}

} // namespace runvm::commands
