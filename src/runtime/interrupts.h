#pragma once
// A person's Ctrl-C, or a caller's SIGTERM, while something is half-made: a command that waits for a guest
// hears of it, undoes what it did, and ends. Later signals are the container's (foreground.h).

#include "os/fd.h"

#include <csignal>

namespace runvm::runtime {

/// Holds back SIGHUP, SIGINT, SIGQUIT and SIGTERM, less those that are ignored, for the whole process while
/// it lives. One that came meanwhile takes effect afterwards, as far as the caller had not blocked it before.
class Interrupts {
public:
    Interrupts();
    ~Interrupts();
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;

    /// Readable once one of them has come; -1 if the kernel had no descriptor to give.
    int fd() const { return signals_.get(); }

private:
    sigset_t before_{};
    os::Fd signals_;
};

} // namespace runvm::runtime
