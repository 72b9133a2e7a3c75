// update: new limits for a container that runs.

#include "oci/update.h"

#include "oci/document.h"
#include "os/file.h"
#include "runtime/commands.h"
#include "runtime/fault_point.h"
#include "runtime/host_cgroup.h"
#include "runtime/monitor_connection.h"
#include "runtime/sandbox_config.h"
#include "runtime/shared_sandbox.h"

#include <capnp/message.h>
#include <unistd.h>

#include <algorithm>

namespace runvm::runtime {

namespace {

struct UpdateText {
    std::string text;
    std::string name; ///< what errors call it
};

Result<UpdateText> read_update(const UpdateOptions& options) {
    UpdateText update;
    if (options.resources_file.empty()) {
        update.name = "update";
        RUNVM_ASSIGN(update.text, oci::resources_of_flags(options.flag));
    } else if (options.resources_file == "-") {
        update.name = "standard input";
        RUNVM_ASSIGN(update.text, os::read_fd(STDIN_FILENO, update.name, oci::max_file_bytes));
    } else {
        update.name = options.resources_file;
        RUNVM_ASSIGN(update.text, os::read_file(update.name, oci::max_file_bytes));
    }
    return update;
}

Result<void> tell_guest(const Context& context, MonitorConnection& connection, const std::string& id,
                        protocol::Resources::Reader resources) {
    auto request = connection.sandbox().updateContainerRequest();
    request.setId(id);
    request.setResources(resources);
    // The machine may have to grow first.
    uint32_t limit_ms = guest_call_limit_ms(context.config) + context.config.hypervisor.agent_timeout_ms;
    return connection.tell(request.send(), limit_ms, "updateContainer");
}

} // namespace

Result<void> update(Context& context, const std::string& id, const UpdateOptions& options) {
    RUNVM_ASSIGN(state::Lock lock, context.store->lock(id));
    RUNVM_ASSIGN(state::Container container, load(context, id));
    state::Status status = state::effective_status(container);
    if (status == state::Status::stopped || status == state::Status::creating)
        return not_running();
    RUNVM_ASSIGN(UpdateText text, read_update(options));
    capnp::MallocMessageBuilder message;
    auto resources = message.initRoot<protocol::Resources>();
    RUNVM_ASSIGN(oci::Update update, oci::plan_update(container.config, text.text, text.name, resources));
    for (const std::string& note : update.notes)
        context.trace("update: " + note);
    RUNVM_ASSIGN(auto connection, MonitorConnection::open(container.sandbox_folder));
    container.machine_mib = std::max(container.machine_mib, grown_memory_mib(context, resources));
    RUNVM_TRY(context.store->save(container)); // before the machine has it
    bool is_bounded = !has_been_shared(container.sandbox_folder);
    if (!is_bounded)
        update.host_limits = limits_beside_machine(update.host_limits);
    cgroup::Change host = change_limits(container, update.host_limits);
    RUNVM_TRY(host.widen());
    fault_point("update.before-rpc");
    if (auto told = tell_guest(context, *connection, id, resources); !told) {
        host.undo();
        if (is_bounded && has_been_shared(container.sandbox_folder)) // somebody has joined meanwhile
            RUNVM_TRY(lift_limits(container));
        if (state::effective_status(container) == state::Status::stopped)
            return not_running();
        return told;
    }
    host.tighten();
    RUNVM_TRY(tell_systemd(container, update.host_limits));
    if (is_bounded && has_been_shared(container.sandbox_folder)) // somebody has joined meanwhile
        RUNVM_TRY(lift_limits(container));
    fault_point("update.after-rpc");
    container.config = std::move(update.config);
    return context.store->save(container);
}

} // namespace runvm::runtime
