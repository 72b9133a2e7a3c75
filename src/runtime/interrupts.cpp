#include "runtime/interrupts.h"

#include <sys/signalfd.h>

namespace runvm::runtime {

Interrupts::Interrupts() {
    sigset_t held;
    ::sigemptyset(&held);
    for (int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM}) {
        struct sigaction action {};
        ::sigaction(signal, nullptr, &action);
        if (action.sa_handler != SIG_IGN) // nohup(1), and a shell's background commands
            ::sigaddset(&held, signal);
    }
    ::sigprocmask(SIG_BLOCK, &held, &before_);
    signals_ = os::Fd(::signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK));
}

Interrupts::~Interrupts() {
    ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

} // namespace runvm::runtime
