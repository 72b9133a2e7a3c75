#include "command.h"

namespace runvm::commands {

namespace {

Result<std::vector<uint32_t>> additional_gids(const cli::Values& flags) {
    std::vector<uint32_t> gids;
    for (int gid : flags.integers("additional-gids")) {
        if (gid < 0) {
            return Error(ErrorKind::invalid_argument,
                         "additional-gids must be a positive number " + std::to_string(gid));
        }
        gids.push_back(static_cast<uint32_t>(gid));
    }
    return gids;
}

Result<runtime::ExecOptions> exec_options(const Call& call) {
    const cli::Values& flags = call.line.flags;
    runtime::ExecOptions options;
    RUNVM_ASSIGN(options.id, container_id(call));
    options.args.assign(call.line.arguments.begin() + 1, call.line.arguments.end());
    // `exec ID -- command`, as runc's man page writes it
    if (!options.args.empty() && options.args.front() == "--")
        options.args.erase(options.args.begin());
    options.process_file = flags.text("process");
    options.env = flags.texts("env");
    options.cwd = flags.text("cwd");
    options.user = flags.text("user");
    RUNVM_ASSIGN(options.additional_gids, additional_gids(flags));
    options.capabilities = flags.texts("cap");
    options.console_socket = flags.text("console-socket");
    options.pidfd_socket = flags.text("pidfd-socket");
    options.pid_file = flags.text("pid-file");
    options.cgroup = flags.text("cgroup");
    RUNVM_ASSIGN(options.preserve_fds, preserved_fds(flags));
    options.tty = flags.boolean("tty");
    options.detach = flags.boolean("detach");
    if (flags.given("no-new-privs"))
        options.no_new_privileges = flags.boolean("no-new-privs");
    options.ignore_paused = flags.boolean("ignore-paused");
    for (const char* name : {"apparmor", "process-label"}) {
        if (flags.given(name))
            call.log.debug(std::string("--") + name + " has no effect inside the guest");
    }
    return options;
}

Result<int> execute(const Call& call) {
    RUNVM_ASSIGN(const runtime::ExecOptions options, exec_options(call));
    RUNVM_ASSIGN(runtime::Context context, make_context(call));
    return runtime::exec(context, options);
}

} // namespace

Result<int> exec(const Call& call) {
    return execute(call).context("exec failed");
}

} // namespace runvm::commands
