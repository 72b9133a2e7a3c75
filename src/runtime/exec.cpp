#include "oci/config.h"

#include "os/file.h"
#include "os/unix_socket.h"
#include "runtime/commands.h"
#include "runtime/creation.h"
#include "runtime/fault_point.h"
#include "runtime/foreground.h"
#include "runtime/interrupts.h"
#include "runtime/offer.h"

#include <capnp/message.h>

#include <limits>
#include <optional>

#include <unistd.h>

namespace runvm::runtime {

namespace {

Result<state::Container> load_running(Context& context, const ExecOptions& options) {
    RUNVM_ASSIGN(state::Container container, load(context, options.id));
    switch (state::effective_status(container)) {
    case state::Status::stopped:
        return Error(ErrorKind::wrong_state, "cannot exec in a stopped container");
    case state::Status::paused:
        if (!options.ignore_paused)
            return Error(ErrorKind::wrong_state,
                         "cannot exec in a paused container (use --ignore-paused to override)");
        return container;
    case state::Status::creating:
        return Error(ErrorKind::wrong_state, "cannot exec in a container that is being created");
    default:
        return container;
    }
}

oci::ExecOverrides overrides(const ExecOptions& options) {
    oci::ExecOverrides over;
    over.args = options.args;
    over.env = options.env;
    over.cwd = options.cwd;
    over.user = options.user;
    over.additional_gids = options.additional_gids;
    over.capabilities = options.capabilities;
    over.no_new_privileges = options.no_new_privileges;
    over.tty = options.tty;
    return over;
}

// One exec from its parts to its process: as Creation, smaller.
class Execution {
public:
    Execution(Context& context, const ExecOptions& options) : context_(context), options_(options) {}
    ~Execution() {
        if (!finished_)
            os::end_child(shim_);
    }
    Execution(const Execution&) = delete;
    Execution& operator=(const Execution&) = delete;

    Result<void> begin();
    Result<void> publish();
    const os::Spawned& shim() const { return shim_; }
    HostTerminal* terminal() { return terminal_ ? &*terminal_ : nullptr; }

private:
    Result<void> plan();
    Result<void> start_shim_process();
    using Entering = capnp::RemotePromise<protocol::Sandbox::EnterContainerResults>;
    Result<Entering> enter();

    Context& context_;
    const ExecOptions& options_;
    std::optional<Interrupts> interrupts_; ///< once there is something to undo
    state::Container container_;
    capnp::MallocMessageBuilder message_;
    oci::HostPlan plan_;
    // Unique in the container's life: no two processes of the host have a pid at once, and none comes back
    // with the same number while a command of it is under way.
    std::string exec_id_ = "exec-" + std::to_string(::getpid()) + "-" +
                           std::to_string(state::process_ref(::getpid()).start_time);
    std::vector<ProcessStream> streams_;
    std::optional<HostTerminal> terminal_;
    std::unique_ptr<MonitorConnection> connection_;
    os::Spawned shim_;
    bool finished_ = false;
};

Result<void> Execution::plan() {
    auto process = message_.initRoot<protocol::Process>();
    if (!options_.process_file.empty()) {
        RUNVM_ASSIGN(std::string text, os::read_file(options_.process_file));
        RUNVM_TRY(oci::plan_process(text, options_.process_file, container_.config, process, plan_));
    } else {
        RUNVM_TRY(oci::plan_exec(container_.config, overrides(options_), process, plan_));
    }
    return check_console_socket(plan_.terminal, options_.detach, options_.console_socket);
}

// runc takes CONTROLLER:PATH for cgroup v1, which the guest does not have.
Result<void> check_cgroup(const std::string& cgroup) {
    if (cgroup.find(':') == std::string::npos)
        return {};
    return Error(
        ErrorKind::invalid_argument,
        "invalid --cgroup argument: " + cgroup +
            ": the guest has cgroup v2, whose one tree has no controllers to choose; give the path alone");
}

Result<void> Execution::begin() {
    RUNVM_TRY(check_cgroup(options_.cgroup));
    RUNVM_ASSIGN(container_, load_running(context_, options_));
    RUNVM_TRY(plan());
    RUNVM_TRY(check_streams(plan_.terminal, options_.preserve_fds));
    if (!options_.detach)
        hold_signals();
    interrupts_.emplace();
    if (plan_.terminal) {
        RUNVM_ASSIGN(terminal_, open_terminal(plan_.console_height, plan_.console_width));
    }
    RUNVM_ASSIGN(streams_, make_streams(plan_.terminal, options_.preserve_fds));
    RUNVM_ASSIGN(connection_, MonitorConnection::open(container_.sandbox_folder));
    connection_->interrupted_by(interrupts_->fd());
    // The guest starts the process while the shim is started here.
    RUNVM_ASSIGN(Entering entering, enter());
    context_.trace("exec: asked the guest");
    RUNVM_TRY(start_shim_process());
    context_.trace("exec: started the shim");
    fault_point("exec.after-shim");
    uint32_t limit_ms = guest_call_limit_ms(context_.config);
    if (options_.ignore_paused) // until the container is resumed
        limit_ms = std::numeric_limits<uint32_t>::max();
    RUNVM_TRY(connection_->tell(kj::mv(entering), limit_ms, "exec"));
    context_.trace("exec: the process runs");
    fault_point("exec.after-rpc");
    return {};
}

Result<Execution::Entering> Execution::enter() {
    protocol::Sandbox::Client sandbox = connection_->sandbox(); // one: it keeps what it is offered
    RUNVM_TRY(offer_streams(*connection_, sandbox, {options_.id, exec_id_}, streams_));
    auto request = sandbox.enterContainerRequest();
    request.setId(options_.id);
    request.setExecId(exec_id_);
    request.setProcess(message_.getRoot<protocol::Process>().asReader());
    request.setCgroup(options_.cgroup);
    auto entering = request.send();
    connection_->flush();
    return kj::mv(entering);
}

Result<void> Execution::start_shim_process() {
    RUNVM_ASSIGN(StartedInit init, open_shim_init(container_.shim_init));
    ShimRequest request;
    request.id = options_.id;
    request.exec_id = exec_id_;
    request.init = &init;
    request.enter_cgroup = enter_cgroup_of(container_);
    request.preserve_fds = options_.preserve_fds;
    request.streams = &streams_;
    RUNVM_ASSIGN(request.monitor, os::connect_unix(container_.sandbox_folder + "/monitor.sock"));
    if (terminal_)
        request.terminal = os::Fd(::dup(terminal_->slave.get()));
    RUNVM_ASSIGN(shim_, start_shim(context_.layout, std::move(request)));
    return {};
}

Result<void> Execution::publish() {
    if (terminal_ && options_.detach) {
        RUNVM_TRY(send_master(*terminal_, options_.console_socket));
        terminal_.reset();
    }
    if (!options_.pidfd_socket.empty())
        RUNVM_TRY(send_pidfd(shim_.pidfd.get(), options_.pidfd_socket));
    RUNVM_TRY(write_pid_file(options_.pid_file, shim_.pid));
    finished_ = true;
    return {};
}

} // namespace

Result<int> exec(Context& context, const ExecOptions& options) {
    Execution execution(context, options);
    RUNVM_TRY(execution.begin());
    RUNVM_TRY(execution.publish());
    if (options.detach)
        return 0;
    return stay_in_foreground(execution.shim(), execution.terminal());
}

} // namespace runvm::runtime
