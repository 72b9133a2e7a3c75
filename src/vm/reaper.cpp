#include "vm/reaper.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace runvm::vm {
namespace {

[[noreturn]] void become(const std::string& own_program, pid_t program) {
    std::string reaper_program = std::filesystem::path(own_program).replace_filename("runvm-reaper");
    std::string pid = std::to_string(program);
    ::execl(reaper_program.c_str(), "runvm-reaper", pid.c_str(), nullptr);
    std::fprintf(stderr, "execute %s: %s\n", reaper_program.c_str(), std::strerror(errno));
    ::_exit(no_reaper_code);
}

} // namespace

int run_as_reaper(const std::string& own_program, const std::function<int()>& program) {
    // The kernel lets no signal through to a namespace's pid 1 that has no handler, but those that nobody can
    // block; blocked ones do not even wake it up.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0)
        ::_exit(no_reaper_code);
    pid_t pid = ::fork();
    if (pid < 0)
        ::_exit(no_reaper_code);
    if (pid > 0)
        become(own_program, pid);
    // Until it has closed its descriptors: the program may change the root that both have, and the reaper's
    // libraries must be there.
    ::close(ends[1]);
    char nothing = 0;
    while (::read(ends[0], &nothing, 1) < 0 && errno == EINTR)
        continue;
    ::close(ends[0]);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return program();
}

} // namespace runvm::vm
