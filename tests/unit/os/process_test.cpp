#include "os/process.h"

#include "os/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>

namespace runvm::os {
namespace {

struct Pipe {
    Fd read_end;
    Fd write_end;
};

Pipe make_pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    return {Fd(ends[0]), Fd(ends[1])};
}

SpawnSpec shell(const std::string& script) {
    SpawnSpec spec;
    spec.argv = {"/bin/sh", "-c", script};
    return spec;
}

ExitStatus exit_of(const Spawned& child) {
    auto exit = wait_for_exit(child.pidfd.get(), 20'000);
    EXPECT_TRUE(exit.ok() && exit.value().has_value());
    return exit.ok() ? exit.value().value_or(ExitStatus{-1, 0}) : ExitStatus{-1, 0};
}

/// Runs the program with a pipe as its stdout, and returns what it wrote.
std::string output_of(SpawnSpec spec) {
    Pipe out = make_pipe();
    spec.fds.emplace_back(out.write_end.get(), 1);
    auto child = spawn(spec);
    EXPECT_TRUE(child.ok()) << child.error().to_string();
    if (!child)
        return {};
    out.write_end.reset();
    std::string output = read_fd(out.read_end.get(), "output").value();
    EXPECT_EQ(exit_of(child.value()).shell_code(), 0);
    return output;
}

TEST(Spawn, ReportsTheExitCode) {
    auto child = spawn(shell("exit 7"));
    ASSERT_TRUE(child.ok());
    ExitStatus status = exit_of(child.value());
    EXPECT_EQ(status.code, 7);
    EXPECT_EQ(status.signal, 0);
    EXPECT_EQ(status.shell_code(), 7);
}

TEST(Spawn, ReportsTheSignalThatKilled) {
    auto child = spawn(shell("kill -TERM $$"));
    ASSERT_TRUE(child.ok());
    EXPECT_EQ(exit_of(child.value()).shell_code(), 128 + SIGTERM);
}

TEST(Spawn, GivesArgvAndEnvironmentAndNothingElse) {
    ASSERT_EQ(::setenv("RUNVM_TEST_LEAK", "1", 1), 0);
    SpawnSpec spec;
    spec.argv = {"/usr/bin/env"};
    spec.env = {"A=1", "B=two words"};
    EXPECT_EQ(output_of(spec), "A=1\nB=two words\n");
    spec.argv = {"not its name", "-c", "echo $0"};
    spec.executable = "/bin/sh";
    EXPECT_EQ(output_of(spec), "not its name\n");
}

TEST(Spawn, SaysWhyTheProgramWasNotExecuted) {
    SpawnSpec spec;
    spec.argv = {"/nonexistent/program"};
    auto child = spawn(spec);
    ASSERT_FALSE(child.ok());
    EXPECT_EQ(child.error().errno_value(), ENOENT);
    EXPECT_EQ(child.error().to_string(), "execute /nonexistent/program: No such file or directory");
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "the child was not reaped";

    spec.argv = {"/etc/passwd"};
    EXPECT_EQ(spawn(spec).error().errno_value(), EACCES);
    spec.argv = {"/bin/true"};
    spec.cwd = "/nonexistent";
    EXPECT_THAT(spawn(spec).error().to_string(), ::testing::HasSubstr("change to folder /nonexistent"));
    spec.cwd.clear();
    spec.fds = {{999, 5}};
    EXPECT_EQ(spawn(spec).error().errno_value(), EBADF);
    EXPECT_EQ(spawn(SpawnSpec{}).error().kind(), ErrorKind::internal);
}

TEST(Spawn, ClosesWhatIsNotNamed) {
    // Without O_CLOEXEC on purpose: this is what a caller's leaked descriptor is like.
    Fd leaked(::open("/dev/null", O_RDONLY));
    ASSERT_TRUE(leaked);
    Fd kept(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
    SpawnSpec spec = shell("cd /proc/self/fd; for f in *; do echo $f $(readlink $f); done");
    spec.fds = {{kept.get(), 40}};
    std::string listing = output_of(spec);
    EXPECT_THAT(listing, ::testing::HasSubstr("0 /dev/null\n"));
    EXPECT_THAT(listing, ::testing::HasSubstr("2 /dev/null\n"));
    EXPECT_THAT(listing, ::testing::HasSubstr("40 /dev/zero\n"));
    int entries = 0;
    for (char c : listing)
        entries += c == '\n' ? 1 : 0;
    // 0, 1, 2, 40, and the shell's own handle of the folder, which has gone again.
    EXPECT_LE(entries, 5) << listing;
    EXPECT_THAT(listing,
                ::testing::Not(::testing::HasSubstr("\n" + std::to_string(leaked.get()) + " /dev/null")));
}

TEST(Spawn, MapsOverlappingDescriptors) {
    Pipe first = make_pipe();
    Pipe second = make_pipe();
    ASSERT_EQ(::write(first.write_end.get(), "1", 1), 1);
    ASSERT_EQ(::write(second.write_end.get(), "2", 1), 1);
    int a = first.read_end.get();
    int b = second.read_end.get();
    // Each one's target is the other's source.
    SpawnSpec spec = shell("head -c1 <&" + std::to_string(a) + "; head -c1 <&" + std::to_string(b));
    spec.fds = {{a, b}, {b, a}};
    EXPECT_EQ(output_of(spec), "21");
    EXPECT_TRUE((::fcntl(a, F_GETFD) & FD_CLOEXEC) != 0) << "the caller's own descriptors changed";
}

TEST(Spawn, OneDescriptorMayBecomeSeveral) {
    Pipe out = make_pipe();
    SpawnSpec spec = shell("echo out; echo err >&2");
    spec.fds = {{out.write_end.get(), 1}, {out.write_end.get(), 2}};
    auto child = spawn(spec);
    ASSERT_TRUE(child.ok());
    out.write_end.reset();
    EXPECT_EQ(read_fd(out.read_end.get(), "output").value(), "out\nerr\n");
    exit_of(child.value());
}

TEST(Spawn, ResetsSignals) {
    ASSERT_NE(::signal(SIGPIPE, SIG_IGN), SIG_ERR);
    sigset_t blocked;
    sigset_t before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &blocked, &before), 0);
    std::string status = output_of(shell("grep -E '^Sig(Blk|Ign)' /proc/self/status"));
    sigset_t now;
    ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &before, &now), 0);
    EXPECT_TRUE(sigismember(&now, SIGUSR1)) << "the caller's own mask changed";
    EXPECT_FALSE(sigismember(&now, SIGTERM)) << "the caller's own mask changed";
    ASSERT_NE(::signal(SIGPIPE, SIG_DFL), SIG_ERR);
    EXPECT_EQ(status, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST(Spawn, NewSessionLeavesTheProcessGroup) {
    std::string script = "set -- $(cat /proc/self/stat); echo $5 $6 $$";
    SpawnSpec spec = shell(script);
    std::string own = std::to_string(::getpgrp());
    EXPECT_THAT(output_of(spec), ::testing::StartsWith(own + " "));
    spec.new_session = true;
    std::string line = output_of(spec);
    std::string pid = line.substr(line.rfind(' ') + 1);
    pid.pop_back();
    EXPECT_EQ(line, pid + " " + pid + " " + pid + "\n");
}

TEST(Spawn, SetsFolderAndLimits) {
    SpawnSpec spec = shell("pwd; ulimit -c; ulimit -n");
    spec.cwd = "/usr/bin";
    spec.rlimits = {{RLIMIT_CORE, 0, 0}, {RLIMIT_NOFILE, 77, 77}};
    EXPECT_EQ(output_of(spec), "/usr/bin\n0\n77\n");
}

class SpawnNamespaces : public ::testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0)
            GTEST_SKIP() << "needs root";
    }
};

TEST_F(SpawnNamespaces, CloneFlagsMakeThem) {
    SpawnSpec spec = shell("echo $$; readlink /proc/self/ns/net");
    spec.clone_flags = CLONE_NEWPID | CLONE_NEWNET;
    std::string output = output_of(spec);
    EXPECT_THAT(output, ::testing::StartsWith("1\n"));
    spec.clone_flags = 0;
    EXPECT_NE(output_of(spec).substr(output_of(spec).find('\n')), output.substr(2));
}

TEST_F(SpawnNamespaces, BornInAnotherPidNamespace) {
    SpawnSpec init = shell("read x");
    Pipe hold = make_pipe();
    init.fds = {{hold.read_end.get(), 0}};
    init.clone_flags = CLONE_NEWPID;
    auto first = spawn(init);
    ASSERT_TRUE(first.ok());
    auto target = open_file("/proc/" + std::to_string(first->pid) + "/ns/pid", O_RDONLY);
    ASSERT_TRUE(target.ok());
    SpawnSpec second = shell("echo $$");
    second.pid_namespace = target->get();
    EXPECT_EQ(output_of(second), "2\n");
    // The caller's next children are born where they were before.
    EXPECT_NE(output_of(shell("echo $$")), "3\n");
    hold.write_end.reset();
    exit_of(first.value());
}

TEST(Pidfd, SignalsAndWaits) {
    auto child = spawn(shell("exec sleep 100"));
    ASSERT_TRUE(child.ok());
    auto other = open_pidfd(child->pid);
    ASSERT_TRUE(other.ok());
    EXPECT_FALSE(wait_for_end(other->get(), 0).value());
    EXPECT_FALSE(wait_for_exit(other->get(), 20).value().has_value());
    ASSERT_TRUE(send_signal(child->pidfd.get(), SIGKILL).ok());
    EXPECT_TRUE(wait_for_end(other->get(), 20'000).value());
    EXPECT_EQ(exit_of(child.value()).signal, SIGKILL);
    EXPECT_EQ(send_signal(other->get(), 0).error().kind(), ErrorKind::process_finished);
    EXPECT_EQ(open_pidfd(child->pid).error().kind(), ErrorKind::process_finished);
    EXPECT_FALSE(wait_for_exit(other->get(), 0).ok()) << "it has been reaped";
}

TEST(Pidfd, RefusesABadSignal) {
    auto own = open_pidfd(::getpid());
    ASSERT_TRUE(own.ok());
    EXPECT_EQ(send_signal(own->get(), 999).error().errno_value(), EINVAL);
    EXPECT_TRUE(send_signal(own->get(), 0).ok());
}

TEST(Spawn, WorksFromManyThreadsAtOnce) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([] {
            for (int round = 0; round < 10; ++round)
                EXPECT_EQ(output_of(shell("echo x")), "x\n");
        });
    for (std::thread& thread : threads)
        thread.join();
}

} // namespace
} // namespace runvm::os
