#include "shim/exit.h"

#include <gtest/gtest.h>

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

namespace runvm::shim {
namespace {

int status_of(const Ending& ending) {
    pid_t child = ::fork();
    if (child == 0) {
        sigset_t all;
        ::sigfillset(&all);
        ::sigprocmask(SIG_SETMASK, &all, nullptr); // as in the shim
        end_like(ending);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
}

TEST(EndLike, TheSameCode) {
    for (int code : {0, 1, 125, 255}) {
        int status = status_of({code, 0});
        ASSERT_TRUE(WIFEXITED(status));
        EXPECT_EQ(WEXITSTATUS(status), code);
    }
}

TEST(EndLike, TheSameSignalWithoutADump) {
    for (int signal : {SIGTERM, SIGKILL, SIGSEGV, SIGABRT, SIGRTMIN + 3}) {
        int status = status_of({0, signal});
        ASSERT_TRUE(WIFSIGNALED(status)) << signal;
        EXPECT_EQ(WTERMSIG(status), signal);
        EXPECT_FALSE(WCOREDUMP(status)) << signal;
    }
}

TEST(EndLike, ASignalThatDoesNotKillBecomesTheShellsCode) {
    int status = status_of({0, SIGCHLD});
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 128 + SIGCHLD);
}

} // namespace
} // namespace runvm::shim
