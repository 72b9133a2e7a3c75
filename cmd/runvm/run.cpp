#include "command.h"

namespace runvm::commands {

Result<int> run(const Call& call) {
    const cli::Values& flags = call.line.flags;
    runtime::RunOptions options;
    RUNVM_ASSIGN(static_cast<runtime::CreateOptions&>(options),
                 create_options(call).context("runvm run failed"));
    options.detach = flags.boolean("detach");
    options.keep = flags.boolean("keep");
    RUNVM_ASSIGN(runtime::Context context, make_context(call));
    return runtime::run(context, options).context("runvm run failed");
}

} // namespace runvm::commands
