// runvm-reaper PID: pid 1 of a monitor's pid namespace. src/vm/reaper.h says what for, and starts it: with
// every signal blocked.

#include "vm/reaper.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

int main(int argc, char** argv) {
    ::syscall(SYS_close_range, 0U, ~0U, 0U); // which tells the monitor that its reaper is there
    const pid_t program = argc == 2 ? static_cast<pid_t>(std::strtol(argv[1], nullptr, 10)) : -1;
    while (true) {
        int status = 0;
        pid_t pid = ::waitpid(-1, &status, 0);
        if (pid < 0 && errno != EINTR)
            return runvm::vm::no_reaper_code;
        if (pid == program)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
}
