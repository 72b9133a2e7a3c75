// How a sandbox gets a container: what comes between the request for it and the guest's answer.

#include "sandbox/sandbox.h"

#include "sandbox/agent_call.h"
#include "state/store.h"

#include <string_view>

namespace runvm::sandbox {

namespace {

Error deleted_early() {
    return {ErrorKind::unavailable, "the container was deleted while it was created"};
}

/// Those of one link are where the link is: the guest must have it first.
bool has_network_sysctls(protocol::Container::Reader container) {
    for (auto sysctl : container.getSysctl())
        if (std::string_view(sysctl.getKey().cStr()).starts_with("net/"))
            return true;
    return false;
}

} // namespace

/// What a container is made from.
struct Sandbox::NewContainer {
    ProcessPtr init;
    kj::Own<Copied<protocol::Container>> container;
    std::vector<NewShare> shares;
    std::vector<StreamEndpoint> streams;
};

Promised<void> Sandbox::create_container(const std::string& id, protocol::Container::Reader container,
                                         std::vector<NewShare> shares, std::vector<StreamEndpoint> streams) {
    if (auto valid = state::check_id(id); !valid)
        return kj::mv(valid);
    if (failure_)
        return failed(*failure_);
    if (containers_.count(id) != 0)
        return failed(Error(ErrorKind::already_exists, "the sandbox has a container " + id + " already"));
    // First: a malformed message throws here.
    auto copy = kj::heap<Copied<protocol::Container>>(container);
    ContainerRecord record;
    record.id = id;
    record.init = std::make_shared<Process>(id, "");
    record.demand = read_demand(copy->get().getResources());
    ProcessPtr init = record.init;
    containers_.emplace(id, std::move(record));
    wake_process_waiters();

    auto plan =
        kj::heap<NewContainer>(NewContainer{init, kj::mv(copy), std::move(shares), std::move(streams)});
    NewContainer& made = *plan;
    return when_booted()
        .then([this, &made](Result<void>&& booted) -> Promised<void> {
            if (auto goes_on = check_creation(made.init, kj::mv(booted)); !goes_on)
                return kj::mv(goes_on);
            return grow_machine();
        })
        .then([this, &made](Result<void>&& grown) -> Promised<void> {
            auto goes_on = check_creation(made.init, kj::mv(grown));
            if (!goes_on || !has_network_sysctls(made.container->get()))
                return kj::mv(goes_on);
            return network_.settled();
        })
        .then([this, plan = kj::mv(plan)](Result<void>&& ready) mutable -> Promised<void> {
            if (auto goes_on = check_creation(plan->init, kj::mv(ready)); !goes_on)
                return kj::mv(goes_on);
            return create_in_guest(*plan);
        });
}

// A step of it is over. One that failed undoes what there is.
Result<void> Sandbox::check_creation(const ProcessPtr& init, Result<void> outcome) {
    if (outcome && is_deleted(init))
        return deleted_early();
    if (outcome && !guest_)
        outcome = *failure_;
    if (!outcome)
        discard(init);
    return outcome;
}

Promised<void> Sandbox::create_in_guest(NewContainer& plan) {
    const ProcessPtr init = plan.init;
    std::vector<std::string> readonly_later;
    for (NewShare& share : plan.shares) {
        if (share.readonly_when_created)
            readonly_later.push_back(share.request.name);
        std::string step = "share " + share.request.name + " with the guest";
        auto attached = machine_.attach_share(std::move(share.request)).context(step);
        if (auto goes_on = check_creation(init, kj::mv(attached)); !goes_on)
            return kj::mv(goes_on);
    }
    auto request = guest_->agent.createContainerRequest();
    request.setId(init->container_id);
    request.setContainer(plan.container->get());
    auto carried = carry(*init, std::move(plan.streams), request.getContainer().getProcess());
    if (auto goes_on = check_creation(init, kj::mv(carried)); !goes_on)
        return kj::mv(goes_on);
    return plug_disks(init, request.getContainer())
        .then([this, init, request = kj::mv(request)](Result<void>&& plugged) mutable -> Promised<void> {
            if (auto goes_on = check_creation(init, kj::mv(plugged)); !goes_on)
                return kj::mv(goes_on);
            return tell_guest(agent_timeout_ms_, "createContainer", request);
        })
        .then(
            [this, init, readonly_later = std::move(readonly_later)](Result<void>&& answer) -> Result<void> {
                RUNVM_TRY(check_creation(init, kj::mv(answer)));
                return check_creation(init, created(init, readonly_later));
            });
}

Result<void> Sandbox::created(const ProcessPtr& init, const std::vector<std::string>& readonly_shares) {
    for (const std::string& share : readonly_shares)
        RUNVM_TRY(machine_.make_share_readonly(init->container_id, share));
    init->created = true;
    watch(init);
    watch_memory(init, 0);
    emit(init->container_id, "", [](protocol::Event::Builder event) { event.setContainerCreated(); });
    return {};
}

// Another container may have the same id since.
bool Sandbox::is_deleted(const ProcessPtr& init) const {
    auto found = containers_.find(init->container_id);
    return found == containers_.end() || found->second.init != init;
}

// Undoes a creation that failed, in the guest too: it may have got half-way before its answer was lost.
void Sandbox::discard(const ProcessPtr& init) {
    if (is_deleted(init))
        return;
    std::string id = init->container_id;
    unplug_disks(containers_.at(id));
    containers_.erase(id);
    drop_streams(*init);
    machine_.detach_shares(id); // now: the next container of this name may come before the guest's answer
    if (guest_) {
        auto request = guest_->agent.deleteContainerRequest();
        request.setId(id);
        tasks_.add(tell_guest(agent_timeout_ms_, "deleteContainer", request).ignoreResult());
    }
    init->end(killed_with_machine());
    shrink_machine();
    settle();
}

} // namespace runvm::sandbox
