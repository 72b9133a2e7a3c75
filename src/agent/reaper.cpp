#include "agent/reaper.h"

#include <sys/wait.h>

#include <csignal>

namespace runvm::agent {

void Reaper::prepare() {
    kj::UnixEventPort::captureSignal(SIGCHLD);
}

void Reaper::reap_all() {
    // One signal may stand for many children.
    while (true) {
        int status = 0;
        pid_t pid = ::waitpid(-1, &status, WNOHANG);
        if (pid <= 0)
            return;
        ended_(pid, status);
    }
}

kj::Promise<void> Reaper::run() {
    return event_port_.onSignal(SIGCHLD).then([this](siginfo_t&&) {
        reap_all();
        return run();
    });
}

} // namespace runvm::agent
