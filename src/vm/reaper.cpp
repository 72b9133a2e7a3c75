#include "vm/reaper.h"

#include <linux/close_range.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace runvm::vm {
namespace {

constexpr int failed_code = 125;

[[noreturn]] void become(const std::string& reaper_program, pid_t program) {
    ::syscall(SYS_close_range, 0U, ~0U, CLOSE_RANGE_CLOEXEC);
    std::string pid = std::to_string(program);
    ::execl(reaper_program.c_str(), "runvm-reaper", pid.c_str(), nullptr);
    std::fprintf(stderr, "execute %s: %s\n", reaper_program.c_str(), std::strerror(errno));
    ::_exit(failed_code);
}

} // namespace

int run_as_reaper(const std::string& reaper_program, const std::function<int()>& program) {
    // The kernel lets no signal through to a namespace's pid 1 that has no handler, but those that nobody can
    // block; blocked ones do not even wake it up.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = ::fork();
    if (pid < 0)
        ::_exit(failed_code);
    if (pid > 0)
        become(reaper_program, pid);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return program();
}

} // namespace runvm::vm
