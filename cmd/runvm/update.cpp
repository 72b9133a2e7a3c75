#include "command.h"

namespace runvm::commands {

Result<int> update(const Call& call) {
    const cli::Values& flags = call.line.flags;
    RUNVM_ASSIGN(const std::string id, container_id(call));
    RUNVM_ASSIGN(runtime::Context context, make_context(call));
    for (const char* name : {"l3-cache-schema", "mem-bw-schema"})
        if (!flags.text(name).empty())
            return Error(ErrorKind::unsupported,
                         std::string("--") + name +
                             ": Intel RDT is not enabled: it divides the host's caches, "
                             "which a VM's processes do not see");
    runtime::UpdateOptions options;
    options.resources_file = flags.text("resources");
    options.flag = [&](const char* name) -> std::optional<std::string> {
        const std::string value = flags.any(name);
        // runc: 0 means "not given" for these two only.
        const bool is_integer =
            std::string_view(name) == "blkio-weight" || std::string_view(name) == "pids-limit";
        if (value.empty() || (is_integer && value == "0"))
            return std::nullopt;
        return value;
    };
    if (options.resources_file.empty() &&
        (options.flag("kernel-memory") || options.flag("kernel-memory-tcp")))
        call.log.warning("Kernel memory settings are ignored and will be removed");
    RUNVM_TRY(runtime::update(context, id, options));
    return 0;
}

} // namespace runvm::commands
