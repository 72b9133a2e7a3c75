#include "runtime/shared_sandbox.h"

#include "network/namespace.h"
#include "os/file.h"
#include "runtime/fault_point.h"
#include "runtime/host_cgroup.h"
#include "runtime/monitor_connection.h"
#include "runtime/network_namespace.h"
#include "runtime/termination.h"

#include <algorithm>

namespace runvm::runtime {

namespace {

constexpr const char* shared_name = "/shared";

bool is_in_network(const state::Container& container, const network::NamespaceId& wanted) {
    auto space = network::namespace_id("/proc/" + std::to_string(container.shim.pid) + "/ns/net");
    // Looked at before: another process may have the pid by now.
    return space && *space == wanted && state::is_alive(container.shim);
}

/// A container of the machine that goes on; its cgroup was made before it joined.
Result<void> hand_machine_over(const state::Container& from, const std::vector<state::Container>& others) {
    auto heir = std::find_if(others.begin(), others.end(), [](const state::Container& container) {
        return !container.cgroup_folders.empty();
    });
    if (from.cgroup_folders.empty() || heir == others.end())
        return {};
    return move_machine(from, *heir).context("move the machine to the cgroup of container " + heir->id);
}

} // namespace

Result<std::optional<state::Container>> find_in_network(const Context& context, const std::string& path) {
    std::optional<state::Container> none;
    if (path.empty())
        return none;
    RUNVM_ASSIGN(network::NamespaceId wanted, network::namespace_id(path));
    RUNVM_ASSIGN(std::vector<state::Store::Loaded> all, context.store->load_all());
    for (state::Store::Loaded& loaded : all) {
        if (!loaded.container)
            continue;
        const state::Container& container = *loaded.container;
        // One that is being made cannot be joined yet (Sandbox.join).
        state::Status status = state::effective_status(container);
        bool lives = status != state::Status::creating && status != state::Status::stopped;
        if (lives && is_in_network(container, wanted))
            return std::optional<state::Container>(container);
    }
    return none;
}

Result<std::vector<state::Container>>
all_others_in_sandbox(const Context& context, const std::string& sandbox_folder, const std::string& id) {
    std::vector<state::Container> others;
    RUNVM_ASSIGN(std::vector<state::Store::Loaded> all, context.store->load_all());
    for (state::Store::Loaded& loaded : all)
        if (loaded.container && loaded.id != id && loaded.container->sandbox_folder == sandbox_folder)
            others.push_back(*std::move(loaded.container));
    return others;
}

Result<std::vector<state::Container>>
others_in_sandbox(const Context& context, const std::string& sandbox_folder, const std::string& id) {
    RUNVM_ASSIGN(auto others, all_others_in_sandbox(context, sandbox_folder, id));
    auto has_stopped = [](const state::Container& container) {
        return state::effective_status(container) == state::Status::stopped;
    };
    others.erase(std::remove_if(others.begin(), others.end(), has_stopped), others.end());
    return others;
}

Result<bool> is_sandbox_of_others(const Context& context, const std::string& sandbox_folder,
                                  const std::string& id) {
    RUNVM_ASSIGN(auto others, all_others_in_sandbox(context, sandbox_folder, id));
    return !others.empty();
}

Result<void> note_shared(const std::string& sandbox_folder) {
    return os::write_file_atomically(sandbox_folder + shared_name, "", 0600, false);
}

bool has_been_shared(const std::string& sandbox_folder) {
    return os::read_file(sandbox_folder + shared_name).ok();
}

cgroup::Limits limits_beside_machine(cgroup::Limits limits) {
    limits.memory_bytes = 0;
    limits.memory_swap_bytes = 0;
    limits.reservation_bytes = 0;
    limits.cpu_quota_us = 0;
    limits.cpu_period_us = 0;
    return limits;
}

Result<void> leave_sandbox(Context& context, const state::Container& container) {
    RUNVM_ASSIGN(std::optional<state::Lock> lock, state::lock_sandbox(container.sandbox_folder));
    RUNVM_ASSIGN(auto others, others_in_sandbox(context, container.sandbox_folder, container.id));
    if (others.empty()) {
        RUNVM_TRY(end_sandbox(container));
        release_links(context, container);
        context.trace("delete: the machine is gone");
    } else {
        RUNVM_TRY(end_in_guest(context, container));
        context.trace("delete: the guest has deleted the container; others have the machine");
    }
    fault_point("delete.after-kill");
    RUNVM_TRY(end_process(container.shim));
    RUNVM_TRY(end_shim_init(container.shim_init));
    RUNVM_TRY(hand_machine_over(container, others));
    RUNVM_TRY(remove_cgroup(container));
    return {};
}

Result<void> end_in_guest(const Context& context, const state::Container& container) {
    auto connection = MonitorConnection::open(container.sandbox_folder);
    if (!connection)
        return {}; // with the machine all its containers have gone
    auto request = (*connection)->sandbox().deleteContainerRequest();
    request.setId(container.id);
    auto told = (*connection)->tell(request.send(), guest_call_limit_ms(context.config), "deleteContainer");
    if (told)
        return {};
    switch (told.error().kind()) {
    case ErrorKind::not_found:
    case ErrorKind::unavailable:
        return {};
    case ErrorKind::timeout: // A guest that hangs must not make a container immortal; it hangs for all.
        return end_process(container.reaper).context("end runvm-monitor");
    default:
        return told;
    }
}

} // namespace runvm::runtime
