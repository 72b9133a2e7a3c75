#pragma once
// signal(7), "Standard signals".

#include <csignal>

namespace runvm {

/// Whether a process that has not said otherwise ends by it.
inline bool ends_by_default(int signal) {
    switch (signal) {
    case 0: // kill(2): none is sent
    case SIGCHLD:
    case SIGCONT:
    case SIGURG:
    case SIGWINCH:
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
        return false;
    default:
        return true;
    }
}

} // namespace runvm
