// What can be learned of the containers: their processes, their figures, and that they ran out of memory.

#include "agent/containers.h"

#include "os/file.h"

#include <fcntl.h>

namespace runvm::agent {

Result<std::vector<ProcessInfo>> Containers::processes(const std::string& id) const {
    RUNVM_ASSIGN(ContainerPtr container, find(id));
    if (!container->cgroup || container->init == nullptr)
        return std::vector<ProcessInfo>();
    RUNVM_ASSIGN(std::vector<pid_t> pids, container->cgroup->processes());
    return list_processes(pids, namespace_depth(container->init->pid));
}

Result<std::vector<std::string>> Containers::read_cgroup(const std::string& id,
                                                         const std::vector<std::string>& names) const {
    RUNVM_ASSIGN(ContainerPtr container, find(id));
    if (!container->cgroup)
        return Error(ErrorKind::wrong_state, "container `" + id + "` is being made");
    std::vector<std::string> contents;
    for (const std::string& name : names) {
        RUNVM_ASSIGN(std::string text, container->cgroup->read(name));
        contents.push_back(std::move(text));
    }
    return contents;
}

kj::Promise<Result<uint64_t>> Containers::await_oom_kill(const std::string& id, uint64_t seen) {
    using Answer = Result<uint64_t>;
    Result<ContainerPtr> found = find(id);
    if (!found)
        return Answer(std::move(found).error());
    ContainerPtr container = *found;
    if (!container->cgroup || container->init == nullptr)
        return Answer(Error(ErrorKind::wrong_state, "container `" + id + "` is being made"));
    if (container->oom_watch == nullptr) {
        Result<os::Fd> events = os::open_file(container->cgroup->path() + "/memory.events", O_RDONLY);
        if (!events)
            return Answer(std::move(events).error());
        container->oom_watch = std::make_shared<OomWatch>(event_port_, std::move(*events));
    }
    auto killed = container->oom_watch->more_than(seen).then([](uint64_t kills) { return Answer(kills); });
    auto ended = container->init->when_ended().then([watch = container->oom_watch, seen]() -> Answer {
        if (uint64_t kills = watch->kills(); kills > seen)
            return kills; // that may have been its end
        return Error(ErrorKind::process_finished, "the container's process has ended");
    });
    return killed.exclusiveJoin(kj::mv(ended)).attach(kj::mv(container));
}

} // namespace runvm::agent
