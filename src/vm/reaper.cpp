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
    // The kernel lets only signals with a handler through to a namespace's pid 1, and those that nobody can block.
    // Blocked ones are not even waked up for.
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    ::syscall(SYS_close_range, 0U, ~0U, 0U);
    while (true) {
        int status = 0;
        pid_t pid = ::waitpid(-1, &status, 0);
        if (pid < 0 && errno != EINTR) ::_exit(fork_failed_code);
        if (pid == program) ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
}

} // namespace

int run_as_reaper(const std::function<int()>& program) {
    pid_t pid = ::fork();
    if (pid < 0) ::_exit(fork_failed_code);
    if (pid > 0) {
        ::prctl(PR_SET_NAME, "runvm-reaper");
        reap(pid);
    }
    return program();
}

} // namespace runvm::vm
