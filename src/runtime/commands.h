#pragma once
// What the CLI's commands do. The grammar is cmd/runvm's; these take what it understood.

#include "config/config.h"
#include "core/result.h"
#include "oci/log.h"
#include "state/store.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace runvm::runtime {

/// Where runvm's own parts are: beside the executable in the build tree, or in an installed prefix.
struct Layout {
    std::string libexec; ///< .../libexec/runvm
    std::string share;   ///< .../share/runvm
    std::string etc;     ///< .../etc/runvm
};
Layout find_layout();

/// What every command needs; made once in main.
struct Context {
    std::string root;            ///< --root
    bool debug = false;          ///< --debug
    bool systemd_cgroup = false; ///< --systemd-cgroup
    bool no_cgroup = false;      ///< --cgroup-manager disabled: the host's cgroups are left alone
    config::Config config;
    Layout layout;
    std::unique_ptr<state::Store> store;
    oci::Log* log = nullptr; ///< of the command; outlives it

    /// A line of the trace, with --debug: what was done, and how long after the command's start.
    void trace(const std::string& step) const;
    std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
};

/// What the disk says of a container, for a command on it: the settings of its annotations hold from here on.
Result<state::Container> load(Context& context, const std::string& id);

struct CreateOptions {
    std::string id;
    std::string bundle; ///< empty: the current folder
    std::string pid_file;
    std::string console_socket;
    std::string pidfd_socket;
    int preserve_fds = 0;
    bool no_new_keyring = false;
};

struct RunOptions : CreateOptions {
    bool detach = false;
    bool keep = false;
};

struct ExecOptions {
    std::string id;
    std::string process_file; ///< --process
    std::vector<std::string> args;
    std::vector<std::string> env;
    std::string cwd;
    std::string user; ///< "USER[:GROUP]", names or numbers
    std::vector<uint32_t> additional_gids;
    std::vector<std::string> capabilities;
    std::string console_socket;
    std::string pidfd_socket;
    std::string pid_file;
    std::string cgroup;
    int preserve_fds = 0;
    bool tty = false;
    bool detach = false;
    std::optional<bool> no_new_privileges;
    bool ignore_paused = false;
};

/// What is asked of a container that has stopped, in runc's words.
inline Error not_running() {
    return {ErrorKind::process_finished, "container not running"};
}

/// create(2) in runc's sense: returns when the process is ready to be started.
Result<void> create(Context& context, const CreateOptions& options);
Result<void> start(Context& context, const std::string& id);
/// Returns the exit code (128+n for a signal), 0 when detached.
Result<int> run(Context& context, const RunOptions& options);
Result<int> exec(Context& context, const ExecOptions& options);
Result<void> kill(Context& context, const std::string& id, int signal, bool all);
/// Its processes stop, and go on. wrong_state if it is not running or created, or is not paused.
Result<void> pause(Context& context, const std::string& id);
Result<void> resume(Context& context, const std::string& id);
struct UpdateOptions {
    std::string resources_file; ///< --resources; "-": standard input
    std::function<std::optional<std::string>(const char* name)>
        flag{}; ///< the others, if there is no such file
};
/// New limits. If the guest refuses one, all are as before.
Result<void> update(Context& context, const std::string& id, const UpdateOptions& options);

/// The shims' pids: what stands for the container's processes on the host. Empty for a stopped container.
Result<std::vector<pid_t>> host_pids(Context& context, const std::string& id);
/// `ps` over the guest's processes; `options` are procps's.
Result<std::string> process_table(Context& context, const std::string& id,
                                  const std::vector<std::string>& options);

/// Takes a line of JSON with its newline; its error ends the events.
using EventPrinter = std::function<Result<void>(const std::string&)>;
/// The container's figures, once.
Result<void> stats(Context& context, const std::string& id, const EventPrinter& print);
/// The container's figures every `interval_ms`, and each kill for want of memory, until it is deleted.
Result<void> events(Context& context, const std::string& id, uint64_t interval_ms, const EventPrinter& print);
Result<void> remove(Context& context, const std::string& id, bool force);

} // namespace runvm::runtime
