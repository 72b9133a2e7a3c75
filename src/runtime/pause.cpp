// pause and resume.
//
// The disk says "paused" before the container is, and until it is not any more: of a command that was killed
// half-way, a container is left that can be resumed.

#include "runtime/commands.h"
#include "runtime/fault_point.h"
#include "runtime/monitor_connection.h"

namespace runvm::runtime {

namespace {

Error not_paused() {
    return {ErrorKind::wrong_state, "container not paused"};
}

/// `sent`, or `over` if the container ended meanwhile.
Result<void> unless_stopped(Result<void> sent, const state::Container& container, const Error& over) {
    if (!sent && (sent.error().kind() == ErrorKind::process_finished ||
                  state::effective_status(container) == state::Status::stopped))
        return over;
    return sent;
}

// A container that was paused before it was started has yet to be.
Result<state::Status> status_in_guest(const Context& context, MonitorConnection& connection,
                                      const std::string& id) {
    auto request = connection.sandbox().statusContainerRequest();
    request.setId(id);
    RUNVM_ASSIGN(auto answer,
                 connection.wait(request.send(), guest_call_limit_ms(context.config), "statusContainer"));
    bool is_created = answer.getStatus().getState() == protocol::ContainerStatus::State::CREATED;
    return is_created ? state::Status::created : state::Status::running;
}

} // namespace

Result<void> pause(Context& context, const std::string& id) {
    RUNVM_ASSIGN(state::Lock lock, context.store->lock(id));
    RUNVM_ASSIGN(state::Container container, load(context, id));
    state::Status status = state::effective_status(container);
    if (status != state::Status::running && status != state::Status::created)
        return not_running();
    RUNVM_ASSIGN(auto connection, MonitorConnection::open(container.sandbox_folder));
    container.status = state::Status::paused;
    RUNVM_TRY(context.store->save(container));
    fault_point("pause.before-rpc");
    auto request = connection->sandbox().pauseContainerRequest();
    request.setId(id);
    auto paused = unless_stopped(
        connection->tell(request.send(), guest_call_limit_ms(context.config), "pauseContainer"), container,
        not_running());
    fault_point("pause.after-rpc");
    if (!paused) {
        container.status = status;
        RUNVM_TRY(context.store->save(container));
    }
    return paused;
}

Result<void> resume(Context& context, const std::string& id) {
    RUNVM_ASSIGN(state::Lock lock, context.store->lock(id));
    RUNVM_ASSIGN(state::Container container, load(context, id));
    if (state::effective_status(container) != state::Status::paused)
        return not_paused();
    RUNVM_ASSIGN(auto connection, MonitorConnection::open(container.sandbox_folder));
    auto request = connection->sandbox().resumeContainerRequest();
    request.setId(id);
    RUNVM_TRY(unless_stopped(
        connection->tell(request.send(), guest_call_limit_ms(context.config), "resumeContainer"), container,
        not_paused()));
    fault_point("resume.after-rpc");
    RUNVM_ASSIGN(container.status, status_in_guest(context, *connection, id));
    return context.store->save(container);
}

} // namespace runvm::runtime
