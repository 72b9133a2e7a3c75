#include "command.h"

#include <algorithm>

namespace runvm::commands {

namespace {

// As Go writes a slice: null when there is none.
std::string as_json(const std::vector<pid_t>& pids) {
    if (pids.empty())
        return "null\n";
    std::string text;
    for (pid_t pid : pids)
        text += (text.empty() ? "[" : ",") + std::to_string(pid);
    return text + "]\n";
}

} // namespace

Result<int> ps(const Call& call) {
    RUNVM_ASSIGN(const std::string id, container_id(call));
    RUNVM_ASSIGN(runtime::Context context, make_context(call));
    const std::string format = call.line.flags.text("format");
    if (format == "json") {
        RUNVM_ASSIGN(const std::vector<pid_t> pids, runtime::host_pids(context, id));
        return print(as_json(pids));
    }
    if (format != "table")
        return Error(ErrorKind::invalid_argument, "invalid format option");
    const std::vector<std::string> options(call.line.arguments.begin() + 1, call.line.arguments.end());
    RUNVM_ASSIGN(const std::string table, runtime::process_table(context, id, options));
    return print(table);
}

} // namespace runvm::commands
