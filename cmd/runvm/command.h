#pragma once
// The commands' functions: each takes what the parser understood, calls src/, and prints. One file a command.

#include "cli/parser.h"
#include "core/result.h"
#include "oci/log.h"
#include "runtime/commands.h"

#include <string>
#include <string_view>

namespace runvm::commands {

/// What a command gets.
struct Call {
    const cli::Invocation& line;
    oci::Log& log;
};

/// The process's exit status, or the error that main reports.
using CommandFunction = Result<int> (*)(const Call& call);

Result<int> check(const Call& call);
Result<int> create(const Call& call);
Result<int> delete_container(const Call& call);
Result<int> exec(const Call& call);
Result<int> features(const Call& call);
Result<int> kill(const Call& call);
Result<int> list(const Call& call);
Result<int> events(const Call& call);
Result<int> pause(const Call& call);
Result<int> ps(const Call& call);
Result<int> resume(const Call& call);
Result<int> run(const Call& call);
Result<int> spec(const Call& call);
Result<int> start(const Call& call);
Result<int> state(const Call& call);
Result<int> store_move(const Call& call);
Result<int> update(const Call& call);

/// The configuration file, the layout and the store, as the global flags say.
Result<runtime::Context> make_context(const Call& call);

/// The configuration that `make_context` takes: --config, or <etc>/config.toml if that exists, or the
/// defaults.
Result<config::Config> load_config(const cli::Values& globals, const runtime::Layout& layout);

/// --root, or the default: made absolute. Under XDG_RUNTIME_DIR the folder is made.
Result<std::string> state_root(const cli::Values& globals, const config::Config& config);

/// The first argument, checked as runc checks an id.
Result<std::string> container_id(const Call& call);

/// What create and run have in common.
Result<runtime::CreateOptions> create_options(const Call& call);

/// --preserve-fds: 0 or more.
Result<int> preserved_fds(const cli::Values& flags);

/// Writes to stdout; a full disk or a closed pipe is an error.
Result<int> print(std::string_view text);

/// The text of --version, without its last newline: the first line without "runvm version ", then "commit:",
/// "spec:".
std::string version_details();

} // namespace runvm::commands
