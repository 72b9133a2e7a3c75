#include "runtime/late_hooks.h"

namespace runvm::runtime {

Result<void> start_in_guest(Context& context, MonitorConnection& connection, const std::string& id,
                            const oci::Hooks& hooks) {
    context.trace("start: asks the guest");
    uint32_t hooks_ms = oci::longest_ms(hooks.start_container);
    auto request = connection.sandbox().startContainerRequest();
    request.setId(id);
    request.setHooksMs(hooks_ms);
    return connection.tell(request.send(), guest_call_limit_ms(context.config) + hooks_ms, "startContainer");
}

Result<void> run_poststart(const state::Container& container, const oci::Hooks& hooks) {
    std::string state = oci::hook_state(container, "running", container.shim.pid);
    return hooks::run("poststart", hooks.poststart, state, {});
}

void run_poststop(Context& context, const state::Container& container, const oci::Hooks& hooks) {
    std::string state = oci::hook_state(container, "stopped", 0);
    for (const oci::Hook& hook : hooks.poststop) // the others run all the same
        if (auto ran = hooks::run("poststop", {&hook, 1}, state, {}); !ran && context.log != nullptr)
            context.log->warning(ran.error().to_string());
}

} // namespace runvm::runtime
