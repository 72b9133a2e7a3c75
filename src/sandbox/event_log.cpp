#include "sandbox/event_log.h"

#include "core/time.h"

namespace runvm::sandbox {

namespace {

std::string what_happened(protocol::Event::Reader event) {
    using Event = protocol::Event;
    switch (event.which()) {
    case Event::BOOTED:
        return "booted";
    case Event::CONTAINER_CREATED:
        return "created";
    case Event::CONTAINER_STARTED:
        return "started";
    case Event::PROCESS_EXITED: {
        auto exit = event.getProcessExited();
        return (exit.getSignaled() ? "killed by signal " : "exited with ") + std::to_string(exit.getValue());
    }
    case Event::PAUSED:
        return "paused";
    case Event::RESUMED:
        return "resumed";
    case Event::VM_EXITED:
        return "over: " + std::string(event.getVmExited().cStr());
    case Event::OOM:
        return "out of memory";
    }
    return "an event that this version does not know";
}

} // namespace

std::optional<std::string> event_line(protocol::Event::Reader event, std::string_view level) {
    bool of_exec = event.getExecId().size() > 0;
    if (level != "debug" && (level != "info" || of_exec))
        return std::nullopt;
    std::string subject = "sandbox";
    if (event.getContainerId().size() > 0)
        subject = std::string("container ") + event.getContainerId().cStr();
    if (of_exec)
        subject += std::string(" process ") + event.getExecId().cStr();
    return format_time(event.getTimeNs()) + " " + subject + ": " + what_happened(event) + "\n";
}

} // namespace runvm::sandbox
