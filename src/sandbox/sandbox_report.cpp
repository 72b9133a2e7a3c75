// What the guest says of its containers: processes, figures, want of memory.

#include "sandbox/sandbox.h"

#include <algorithm>

namespace runvm::sandbox {

namespace {

constexpr size_t max_cgroup_files = 64;
constexpr size_t max_cgroup_file_bytes = 64U << 10U;
constexpr uint64_t max_processes_words = 4U << 20U;
// A guest may say again and again that it ran out of memory.
constexpr auto shortest_oom_interval = 100 * kj::MILLISECONDS;

Result<std::vector<std::string>> checked_contents(capnp::List<capnp::Text>::Reader contents, size_t wanted) {
    if (contents.size() != wanted)
        return Error(ErrorKind::internal, "the guest answered with another number of files");
    std::vector<std::string> texts;
    for (auto content : contents) {
        if (content.size() > max_cgroup_file_bytes)
            return Error(ErrorKind::internal, "the guest sent more than 64 KiB of a cgroup file");
        texts.emplace_back(content.cStr(), content.size());
    }
    return texts;
}

Result<kj::Own<Processes>> checked_processes(protocol::Agent::ProcessesResults::Reader answer) {
    bool fits = answer.getProcesses().size() <= protocol::MAX_PROCESS_INFOS &&
                answer.totalSize().wordCount <= max_processes_words;
    if (!fits)
        return Error(ErrorKind::internal, "the guest sent more processes than it may");
    return kj::heap<Processes>(answer);
}

} // namespace

Promised<kj::Own<Processes>> Sandbox::list_processes(const std::string& id) {
    using Answer = Result<kj::Own<Processes>>;
    if (auto live = find_live(id, ""); !live)
        return Answer(std::move(live).error());
    auto request = guest_->agent.processesRequest();
    request.setId(id);
    return ask_guest(agent_timeout_ms_, "processes", request)
        .then([](Result<capnp::Response<protocol::Agent::ProcessesResults>>&& answer) -> Answer {
            RUNVM_ASSIGN(auto answered, std::move(answer));
            return checked_processes(answered);
        });
}

Promised<std::vector<std::string>> Sandbox::read_cgroup(const std::string& id,
                                                        const std::vector<std::string>& names) {
    using Answer = Result<std::vector<std::string>>;
    if (auto live = find_live(id, ""); !live)
        return Answer(std::move(live).error());
    if (names.size() > max_cgroup_files)
        return Answer(Error(ErrorKind::invalid_argument, "at most 64 cgroup files can be read at once"));
    auto request = guest_->agent.readCgroupRequest();
    request.setId(id);
    auto list = request.initNames(static_cast<unsigned>(names.size()));
    for (unsigned i = 0; i < names.size(); ++i)
        list.set(i, names[i]);
    return ask_guest(agent_timeout_ms_, "readCgroup", request)
        .then([wanted = names.size()](
                  Result<capnp::Response<protocol::Agent::ReadCgroupResults>>&& answer) -> Answer {
            RUNVM_ASSIGN(auto answered, std::move(answer));
            return checked_contents(answered.getContents(), wanted);
        });
}

// As long as the container is there; a guest that has no answer is asked no more.
void Sandbox::watch_memory(const ProcessPtr& init, uint64_t seen) {
    if (!guest_ || init->ended())
        return;
    auto request = guest_->agent.awaitOomKillRequest();
    request.setId(init->container_id);
    request.setSeen(seen);
    auto told = request.send().then(
        [this, init](capnp::Response<protocol::Agent::AwaitOomKillResults>&& answer) -> kj::Promise<void> {
            if (answer.getError().getFailed())
                return kj::READY_NOW;
            uint64_t kills = answer.getKills();
            tell_of_oom(init->container_id);
            return timer_.afterDelay(shortest_oom_interval).then([this, init, kills] {
                watch_memory(init, kills);
            });
        });
    tasks_.add(told.catch_([](kj::Exception&&) {}));
}

void Sandbox::tell_of_oom(const std::string& id) {
    if (auto record = containers_.find(id); record != containers_.end())
        record->second.told_of_oom = true;
    emit(id, "", [](protocol::Event::Builder event) { event.setOom(); });
}

} // namespace runvm::sandbox
