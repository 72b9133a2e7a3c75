#pragma once
// Pid 1 reaps: its own children and the orphans of the whole guest.

#include <kj/async-unix.h>
#include <kj/function.h>
#include <sys/types.h>

namespace runvm::agent {

class Reaper {
public:
    /// Before any child is made.
    static void prepare();

    /// `ended` is called for every child, with its status of waitpid(2).
    Reaper(kj::UnixEventPort& event_port, kj::Function<void(pid_t, int)> ended)
        : event_port_(event_port), ended_(kj::mv(ended)) {}

    /// Reaps until it is dropped.
    kj::Promise<void> run();

private:
    void reap_all();

    kj::UnixEventPort& event_port_;
    kj::Function<void(pid_t, int)> ended_;
};

} // namespace runvm::agent
