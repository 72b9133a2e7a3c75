#include "command.h"

namespace runvm::commands {

Result<int> events(const Call& call) {
    const cli::Values& flags = call.line.flags;
    RUNVM_ASSIGN(const std::string id, container_id(call));
    RUNVM_ASSIGN(runtime::Context context, make_context(call));
    if (flags.duration_ms("interval") <= 0)
        return Error(ErrorKind::invalid_argument, "duration interval must be greater than 0");
    const auto print_line = [](const std::string& line) -> Result<void> {
        RUNVM_ASSIGN([[maybe_unused]] const int status, print(line));
        return {};
    };
    if (flags.boolean("stats"))
        RUNVM_TRY(runtime::stats(context, id, print_line));
    else
        RUNVM_TRY(
            runtime::events(context, id, static_cast<uint64_t>(flags.duration_ms("interval")), print_line));
    return 0;
}

} // namespace runvm::commands
