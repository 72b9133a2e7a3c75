#include "command.h"

#include "oci/signals.h"

namespace runvm::commands {

Result<int> kill(const Call& call) {
    RUNVM_ASSIGN(const std::string id, container_id(call));
    const std::vector<std::string>& arguments = call.line.arguments;
    const bool has_signal = arguments.size() > 1 && !arguments[1].empty();
    RUNVM_ASSIGN(runtime::Context context, make_context(call));
    RUNVM_ASSIGN(const int signal, oci::parse_signal(has_signal ? arguments[1] : "TERM"));
    RUNVM_TRY(runtime::kill(context, id, signal, call.line.flags.boolean("all")));
    return 0;
}

} // namespace runvm::commands
