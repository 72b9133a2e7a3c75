// runvm: the command line. Parses, sets the log up, calls the command, and reports its error where callers
// look.

#include "cli/help.h"
#include "command.h"
#include "oci/caller_words.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <iterator>
#include <stdexcept>

namespace runvm {

namespace {

using cli::Invocation;

struct Entry {
    std::string_view name;
    commands::CommandFunction run;
};

constexpr Entry entries[] = {
    {"check", commands::check},
    {"create", commands::create},
    {"delete", commands::delete_container},
    {"events", commands::events},
    {"exec", commands::exec},
    {"features", commands::features},
    {"kill", commands::kill},
    {"list", commands::list},
    {"pause", commands::pause},
    {"ps", commands::ps},
    {"resume", commands::resume},
    {"run", commands::run},
    {"spec", commands::spec},
    {"start", commands::start},
    {"state", commands::state},
    {"store-move", commands::store_move},
    {"update", commands::update},
};

std::string help_of(const Invocation& line) {
    return line.command == nullptr ? cli::program_help(commands::version_details())
                                   : cli::command_help(*line.command);
}

/// runc puts the reason and the help on stdout, and the reason into the log.
int refuse(const Invocation& line, oci::Log& log) {
    (void)commands::print("Incorrect Usage: " + line.error + "\n\n" + help_of(line));
    log.error(line.error);
    return 1;
}

int run_command(const Invocation& line, oci::Log& log) {
    const auto* entry = std::ranges::find(entries, line.command->name, &Entry::name);
    if (entry == std::end(entries))
        throw std::logic_error("no function for " + std::string(line.command->name));
    auto status = entry->run({line, log});
    if (status)
        return *status;
    log.error(oci::for_caller(status.error()));
    return oci::exit_code(status.error(), line.command->name);
}

int run(const std::vector<std::string>& words) {
    const Invocation line = cli::parse(words);
    if (line.action == Invocation::Action::show_help)
        return commands::print(help_of(line)) ? 0 : 1;
    if (line.action == Invocation::Action::show_version) {
        const std::string text =
            std::string(cli::program_name) + " version " + commands::version_details() + "\n";
        return commands::print(text) ? 0 : 1;
    }
    const cli::Values& globals = line.globals;
    auto opened = oci::Log::open({globals.text("log"), globals.text("log-format"), globals.boolean("debug")});
    if (!opened) {
        oci::Log().error(oci::for_caller(opened.error()));
        return 1;
    }
    oci::Log& log = *opened;
    switch (line.action) {
    case Invocation::Action::refuse:
        return refuse(line, log);
    case Invocation::Action::no_such_command:
        log.error(line.error);
        return 3; // urfave/cli's ShowCommandHelp
    case Invocation::Action::not_available:
        log.error(line.error);
        return 1;
    default:
        return run_command(line, log);
    }
}

} // namespace
} // namespace runvm

// Who calls with one of them closed would have the next file that is opened taken for it.
static void open_standard_streams() {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
        if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) != fd)
            ::_exit(1);
}

int main(int argc, char** argv) {
    open_standard_streams();
    // Ignored by a caller it would be ignored here, and no exit status could be had.
    std::signal(SIGCHLD, SIG_DFL);
    // A caller that does not read stdout gets an error and an exit status, not a dead process in the middle
    // of a create.
    std::signal(SIGPIPE, SIG_IGN);
    try {
        return runvm::run({argv, argv + argc});
    } catch (const std::exception& exception) {
        std::fprintf(stderr, "runvm: this is a bug: %s\n", exception.what());
    } catch (...) {
        std::fprintf(stderr, "runvm: this is a bug: an unknown exception\n");
    }
    return 1;
}
