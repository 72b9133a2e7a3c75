#include "command.h"

namespace runvm::commands {

Result<int> preserved_fds(const cli::Values& flags) {
    const int count = flags.integer("preserve-fds");
    if (count < 0) {
        return Error(ErrorKind::invalid_argument,
                     "--preserve-fds " + std::to_string(count) + " is negative; give 0 or more");
    }
    return count;
}

Result<runtime::CreateOptions> create_options(const Call& call) {
    const cli::Values& flags = call.line.flags;
    runtime::CreateOptions options;
    RUNVM_ASSIGN(options.id, container_id(call));
    options.bundle = flags.text("bundle");
    options.pid_file = flags.text("pid-file");
    options.console_socket = flags.text("console-socket");
    options.pidfd_socket = flags.text("pidfd-socket");
    RUNVM_ASSIGN(options.preserve_fds, preserved_fds(flags));
    options.no_new_keyring = flags.boolean("no-new-keyring");
    return options;
}

} // namespace runvm::commands
