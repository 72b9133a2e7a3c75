// The machine's size: it follows what the limits of its containers ask for.

#include "core/time.h"
#include "sandbox/sandbox.h"
#include "vm/machine.h"

#include <algorithm>
#include <cstdio>
#include <string>

namespace runvm::sandbox {

namespace {

// What 52 bits of a physical address reach (x86-64, Intel SDM 3A, 4.1.4): no sum of sizes overflows.
constexpr uint64_t most_memory_mib = uint64_t{1} << 32U;

Result<void> check_memory(const char* key, uint64_t memory_mib) {
    if (memory_mib <= most_memory_mib)
        return {};
    return Error(ErrorKind::invalid_argument, "the sandbox's " + std::string(key) + " is " +
                                                  std::to_string(memory_mib) + " MiB; at most " +
                                                  std::to_string(most_memory_mib) + " are possible");
}

uint64_t round_up(uint64_t value, uint64_t step) {
    return (value + step - 1) / step * step;
}

} // namespace

vm::Demand read_demand(protocol::Resources::Reader resources) {
    auto demand = resources.getDemand();
    return {demand.getCpus(), demand.getCpusetEnd(), demand.getMemoryBytes()};
}

Result<void> Sandbox::Sizing::read(protocol::SandboxConfig::Reader config) {
    RUNVM_TRY(check_memory("memoryMib", config.getMemoryMib()));
    RUNVM_TRY(check_memory("maxMemoryMib", config.getMaxMemoryMib()));
    RUNVM_TRY(check_memory("memoryStepMib", config.getMemoryStepMib()));
    RUNVM_TRY(check_memory("defaultMemoryMib", config.getDefaultMemoryMib()));
    boot = {config.getVcpus(), config.getMemoryMib()};
    basis = {config.getDefaultVcpus(), config.getDefaultMemoryMib()};
    largest = {config.getMaxVcpus(),
               boot.memory_mib + vm::largest_growth_mib(boot.memory_mib, config.getMaxMemoryMib())};
    step_mib = round_up(std::max<uint64_t>(config.getMemoryStepMib(), 1), vm::growth_block_mib);
    now = boot;
    return {};
}

vm::MachineSize Sandbox::wanted_size() const {
    std::vector<vm::Demand> demands;
    for (const auto& [id, record] : containers_)
        if (!record.init->ended())
            demands.push_back(record.demand);
    vm::MachineSize wanted = vm::size_for(demands, sizing_.basis, sizing_.largest);
    wanted.vcpus = std::max(wanted.vcpus, sizing_.now.vcpus); // they stay
    uint64_t growth_mib = wanted.memory_mib - std::min(wanted.memory_mib, sizing_.boot.memory_mib);
    // Both are of whole blocks (Sizing::read).
    wanted.memory_mib = std::min(sizing_.boot.memory_mib + round_up(growth_mib, sizing_.step_mib),
                                 sizing_.largest.memory_mib);
    return wanted;
}

// One at a time: who comes meanwhile looks again afterwards, whatever came of it.
Promised<void> Sandbox::grow_machine() {
    if (sizing_.is_growing)
        return growth_->addBranch().then([this] { return grow_machine(); });
    vm::MachineSize before = sizing_.now;
    vm::MachineSize wanted = wanted_size();
    bool is_large_enough = wanted.vcpus <= before.vcpus && wanted.memory_mib <= before.memory_mib;
    if (!guest_)
        return failed(*failure_);
    if (is_large_enough && sizing_.is_confirmed)
        return Result<void>();
    wanted.memory_mib = std::max(wanted.memory_mib, before.memory_mib);
    sizing_.is_growing = true;
    sizing_.now = wanted;
    auto grown = kj::newPromiseAndFulfiller<void>();
    growth_ = grown.promise.fork();
    return resize_and_await(wanted).then(
        [this, before, fulfiller = kj::mv(grown.fulfiller)](Result<void>&& answer) mutable -> Result<void> {
            sizing_.is_growing = false;
            sizing_.is_confirmed = answer.ok();
            // Memory that was asked for is taken back by shrink_machine; a cpu may not have been plugged.
            if (!answer)
                sizing_.now.vcpus = before.vcpus;
            fulfiller->fulfill();
            return kj::mv(answer);
        });
}

Promised<void> Sandbox::resize_and_await(vm::MachineSize wanted) {
    uint64_t growth_mib = wanted.memory_mib - sizing_.boot.memory_mib;
    auto awake = suspension_.keep_awake();
    return machine_.resize(wanted.vcpus, growth_mib)
        .then([this, wanted, growth_mib](Result<void>&& resized) -> Promised<void> {
            if (!resized || !guest_) // or it is over meanwhile
                return resized ? failed(*failure_) : kj::mv(resized);
            auto request = guest_->agent.growRequest();
            request.setVcpus(wanted.vcpus);
            request.setMemoryMib(growth_mib);
            request.setLimitMs(agent_timeout_ms_);
            return tell_guest(agent_timeout_ms_ + answer_ms, "grow", request);
        })
        .attach(kj::mv(awake));
}

// As far as the guest gives memory back, and nobody waits for it.
void Sandbox::shrink_machine() {
    vm::MachineSize wanted = wanted_size();
    if (!guest_ || containers_.empty() || wanted.memory_mib >= sizing_.now.memory_mib)
        return;
    sizing_.now.memory_mib = wanted.memory_mib;
    tasks_.add(machine_.resize(sizing_.now.vcpus, wanted.memory_mib - sizing_.boot.memory_mib)
                   .then([](Result<void>&& resized) {
                       if (!resized)
                           std::fprintf(stderr, "%s memory was not taken back: %s\n",
                                        format_time(now_ns()).c_str(), resized.error().to_string().c_str());
                   }));
}

Promised<void> Sandbox::update_container(const std::string& id, protocol::Resources::Reader resources) {
    auto process = find_live(id, "");
    if (!process)
        return failed(std::move(process).error());
    auto copy = kj::heap<Copied<protocol::Resources>>(resources);
    vm::Demand wanted = read_demand(copy->get());
    ContainerRecord& record = containers_.at(id);
    vm::Demand before = record.demand;
    record.demand = wanted;
    return grow_machine()
        .then([this, id, copy = kj::mv(copy)](Result<void>&& grown) mutable -> Promised<void> {
            if (!grown)
                return kj::mv(grown);
            if (auto live = find_live(id, ""); !live)
                return failed(std::move(live).error());
            auto request = guest_->agent.updateContainerRequest();
            request.setId(id);
            request.setResources(copy->get());
            return tell_guest(agent_timeout_ms_, "updateContainer", request);
        })
        .then([this, id, init = containers_.at(id).init, before, wanted](Result<void>&& updated) {
            auto updated_record = containers_.find(id);
            if (updated_record != containers_.end() && updated_record->second.init == init)
                updated_record->second.demand = updated ? wanted : before;
            shrink_machine();
            return kj::mv(updated);
        });
}

} // namespace runvm::sandbox
