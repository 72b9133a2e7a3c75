#include "vm/reaper.h"

#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace runvm::vm {
namespace {

constexpr int fork_failed_code = 125;

[[noreturn]] void reap(pid_t program) {
    ::syscall(SYS_close_range, 0U, ~0U, 0U);
    while (true) {
        int status = 0;
        pid_t pid = ::waitpid(-1, &status, 0);
        if (pid < 0 && errno != EINTR)
            ::_exit(fork_failed_code);
        if (pid == program)
            ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
}

} // namespace

int run_as_reaper(const std::function<int()>& program) {
    // The kernel lets no signal through to a namespace's pid 1 that has no handler, but those that nobody can
    // block; blocked ones do not even wake it up.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = ::fork();
    if (pid < 0)
        ::_exit(fork_failed_code);
    if (pid > 0) {
        ::prctl(PR_SET_NAME, "runvm-reaper");
        reap(pid);
    }
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return program();
}

} // namespace runvm::vm
