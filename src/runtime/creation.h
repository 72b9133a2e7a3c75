#pragma once
// A container in the making: everything that `create` starts, and how it is undone when a later step fails.

#include "core/result.h"
#include "oci/cgroup.h"
#include "oci/config.h"
#include "runtime/commands.h"
#include "runtime/host_terminal.h"
#include "runtime/interrupts.h"
#include "runtime/monitor_connection.h"
#include "runtime/monitor_process.h"
#include "runtime/shim_process.h"

#include <capnp/message.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace runvm::runtime {

class Creation {
public:
    /// `stays`: the caller waits for the process (run without --detach), so a terminal needs no console
    /// socket.
    Creation(Context& context, const CreateOptions& options, bool stays);
    /// Undoes what was started, unless the container was finished.
    ~Creation();
    Creation(const Creation&) = delete;
    Creation& operator=(const Creation&) = delete;

    /// Everything until the process is ready to be started, the state `created` and the pid file included.
    Result<void> create();
    /// Lets it run.
    Result<void> start();

    const os::Spawned& shim() const { return shim_; }
    /// The host's side of the terminal where the caller of `run` carries it.
    HostTerminal* terminal() { return foreground_terminal_ ? &*terminal_ : nullptr; }

private:
    Result<void> read_bundle();
    Result<void> reserve();
    Result<void> choose_sandbox();
    Result<void> enter_sandbox();
    Result<void> join_sandbox();
    Result<void> ask_to_join();
    Result<void> leave_machine_unbounded();
    Result<void> boot_sandbox();
    Result<void> found_cgroup(pid_t first);
    Result<void> start_shims();
    Result<void> run_early_hooks();
    Result<void> offer_links();
    Result<void> refuse_links() const;
    Result<void> create_in_guest();
    Result<void> publish();
    Result<void> clear_sandbox();
    void undo();
    Error explain(Error error) const;

    Context& context_;
    const CreateOptions& options_;
    /// From when there is something to undo. Last out: what is undone is undone before.
    std::optional<Interrupts> interrupts_;
    bool stays_;
    bool reserved_ = false;
    bool cgroup_founded_ = false;
    bool has_joined_ = false; ///< the sandbox of others
    bool has_folder_ = false; ///< of its own sandbox
    bool finished_ = false;
    bool pid_file_written_ = false;
    bool foreground_terminal_ = false;
    oci::HostPlan plan_;
    oci::HostCgroup cgroup_;
    capnp::MallocMessageBuilder message_;
    state::Container container_;
    std::optional<state::Lock> lock_;
    std::optional<state::Lock> sandbox_lock_; ///< of others' sandbox, while it is joined
    os::Spawned reaper_;
    os::Spawned shim_;
    StartedInit init_;
    std::vector<ProcessStream> streams_;
    std::optional<HostTerminal> terminal_;
    std::unique_ptr<MonitorConnection> connection_;
};

/// Writes a pid file as callers want it: digits only, no newline, in one step.
Result<void> write_pid_file(const std::string& path, pid_t pid);

/// --pidfd-socket.
Result<void> send_pidfd(int pidfd, const std::string& socket_path);

} // namespace runvm::runtime
