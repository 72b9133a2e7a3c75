#include "shim/exit.h"

#include <csignal>
#include <sys/resource.h>
#include <unistd.h>

namespace runvm::shim {

void end_like(const Ending& ending) {
    if (ending.signal != 0) {
        // The dump, if any, is the guest's.
        rlimit no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        ::signal(ending.signal, SIG_DFL);
        sigset_t only;
        ::sigemptyset(&only);
        ::sigaddset(&only, ending.signal);
        ::kill(::getpid(), ending.signal);
        ::sigprocmask(SIG_UNBLOCK, &only, nullptr);
        // A signal whose default is not to kill: the guest cannot have been killed by it, but may say so.
        ::_exit(128 + ending.signal);
    }
    ::_exit(ending.code);
}

} // namespace runvm::shim
