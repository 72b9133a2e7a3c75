#include "runtime/termination.h"

#include "os/process.h"
#include "state/store.h"

#include <csignal>
#include <optional>
#include <unistd.h>

namespace runvm::runtime {

namespace {

constexpr int end_timeout_ms = 10000;

// Of the process, once it has been sent SIGKILL; empty if it is gone.
os::Fd kill(const state::ProcessRef& process) {
    os::Fd pidfd = open_process(process);
    if (pidfd)
        (void)os::send_signal(pidfd.get(), SIGKILL); // gone meanwhile: as wanted
    return pidfd;
}

Error does_not_end(const state::ProcessRef& process) {
    return {ErrorKind::timeout, "process " + std::to_string(process.pid) + " does not end after SIGKILL"};
}

} // namespace

os::Fd open_process(const state::ProcessRef& process) {
    if (!state::is_alive(process))
        return {};
    auto pidfd = os::open_pidfd(process.pid);
    if (!pidfd || !state::is_alive(process)) // another's meanwhile
        return {};
    return *std::move(pidfd);
}

Result<void> end_process(const state::ProcessRef& process) {
    os::Fd pidfd = kill(process);
    if (!pidfd)
        return {};
    RUNVM_ASSIGN(bool ended, os::wait_for_end(pidfd.get(), end_timeout_ms));
    if (!ended)
        return does_not_end(process);
    return {};
}

Result<void> end_shim_init(const state::ProcessRef& init) {
    os::Fd pidfd = kill(init);
    if (!pidfd)
        return {};
    std::string mounts = "/proc/" + std::to_string(init.pid) + "/ns/mnt";
    for (int waited_ms = 0; waited_ms < end_timeout_ms; ++waited_ms) {
        char target[64];
        if (::readlink(mounts.c_str(), target, sizeof target) < 0)
            return {};
        RUNVM_ASSIGN(bool ended, os::wait_for_end(pidfd.get(), 1));
        if (ended)
            return {};
    }
    return does_not_end(init);
}

Result<void> end_sandbox(const state::Container& container) {
    if (auto ended = end_process(container.reaper); !ended)
        return std::move(ended).context("end runvm-monitor");
    if (container.sandbox_folder.empty())
        return {};
    return state::remove_sandbox_folder(container.sandbox_folder);
}

} // namespace runvm::runtime
