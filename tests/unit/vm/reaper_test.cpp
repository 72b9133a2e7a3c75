#include "vm/reaper.h"

#include "os/fd.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>

namespace runvm::vm {
namespace {

const std::string monitor_program = RUNVM_BINARY_DIR "/libexec/runvm/runvm-monitor";

/// The wait status of a process that became a reaper with `program` below it.
int status_of_reaper(const std::function<int()>& program) {
    pid_t pid = ::fork();
    if (pid == 0) {
        ::prctl(PR_SET_CHILD_SUBREAPER, 1); // as pid 1 of a namespace is
        ::_exit(run_as_reaper(monitor_program, program));
    }
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    return status;
}

TEST(Reaper, PassesTheExitCodeOn) {
    int status = status_of_reaper([] { return 7; });
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST(Reaper, PassesASignalOnAsACode) {
    int status = status_of_reaper([] {
        ::raise(SIGKILL);
        return 0;
    });
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 128 + SIGKILL);
}

TEST(Reaper, ReapsOrphansAndGoesOn) {
    int status = status_of_reaper([] {
        pid_t parent = ::fork();
        if (parent == 0) {
            pid_t orphan = ::fork();
            if (orphan == 0)
                ::_exit(3);
            ::_exit(0);
        }
        ::waitpid(parent, nullptr, 0);
        // The orphan has to disappear, not to stay as a zombie of the reaper's: its parent has one other
        // child, us.
        std::string path = "/proc/self/task/" + std::to_string(::getppid()) + "/children";
        path.replace(6, 4, std::to_string(::getppid()));
        for (int i = 0; i < 1000; ++i) {
            std::array<char, 256> children{};
            os::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
            if (!file)
                return 2;
            if (::read(file.get(), children.data(), children.size() - 1) < 0)
                return 3;
            if (std::string(children.data()) == std::to_string(::getpid()) + " ")
                return 0;
            ::usleep(10'000);
        }
        return 1;
    });
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Reaper, HoldsNoDescriptor) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), 0), 0);
    os::Fd read_end(ends[0]);
    os::Fd write_end(ends[1]);
    std::array<int, 2> stop{};
    ASSERT_EQ(::pipe2(stop.data(), O_CLOEXEC), 0);
    pid_t pid = ::fork();
    if (pid == 0) {
        ::close(stop[1]);
        ::_exit(run_as_reaper(monitor_program, [&] {
            ::close(ends[1]);
            char byte = 0;
            return static_cast<int>(::read(stop[0], &byte, 1)); // until the test lets go
        }));
    }
    write_end.reset();
    ::close(stop[0]);
    // End-of-file while the reaper lives: it has closed its copy.
    pollfd closed{read_end.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&closed, 1, 10'000), 1);
    EXPECT_EQ(closed.revents & POLLHUP, POLLHUP);
    EXPECT_EQ(::waitpid(pid, nullptr, WNOHANG), 0);
    ::close(stop[1]);
    EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
}

TEST(Reaper, EndsOfNoOrdinarySignal) {
    int status = status_of_reaper([] {
        for (int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1})
            ::kill(::getppid(), signal);
        ::usleep(50'000);
        return 5;
    });
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 5);
}

TEST(Reaper, IsThereBeforeTheProgramChangesTheirRoot) {
    // pivot_root(2) changes it for both.
    for (int i = 0; i < 20; ++i) {
        pid_t pid = ::fork();
        if (pid == 0) {
            ::_exit(run_as_reaper(monitor_program, [] {
                std::string path = "/proc/" + std::to_string(::getppid()) + "/comm";
                std::array<char, 32> name{};
                os::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
                return ::read(file.get(), name.data(), name.size() - 1) > 0 &&
                               std::string(name.data()) == "runvm-reaper\n"
                           ? 0
                           : 1;
            }));
        }
        int status = 0;
        EXPECT_EQ(::waitpid(pid, &status, 0), pid);
        EXPECT_EQ(status, 0);
    }
}

TEST(Reaper, EndsWithoutItsProgram) {
    pid_t pid = ::fork();
    if (pid == 0)
        ::_exit(run_as_reaper("/nonexistent/runvm-monitor", [] { return 0; }));
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 125);
}

} // namespace
} // namespace runvm::vm
