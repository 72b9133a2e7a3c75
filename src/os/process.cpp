#include "os/process.h"

#include "core/defer.h"
#include "os/file.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>

namespace runvm::os {
namespace {

// An exec takes milliseconds; one that takes this long hangs on a dead network filesystem.
constexpr int exec_timeout_ms = 60'000;
// A killed process ends at once, unless it waits for such a filesystem.
constexpr int end_timeout_ms = 10'000;

enum class Step : int {
    reset_signals,
    join_namespaces,
    map_fd,
    set_limit,
    new_session,
    change_folder,
    execute
};

/// What the child writes to its parent when it cannot become the program.
struct Failure {
    Step step;
    int errno_value;
};

/// All that the child needs, allocated before the clone: between clone and exec only async-signal-safe calls
/// are allowed, because another thread may have held the allocator's lock.
struct ChildPlan {
    std::vector<char*> argv;
    std::vector<char*> env;
    std::vector<std::pair<int, int>> fds;
    std::vector<int> staged;
    int first_free_fd = 0;
    int failure_fd = -1;
    int hold_fd = -1;       ///< it waits for a byte from here; -1: it does not
    int hold_write_fd = -1; ///< the other end, the parent's
};

[[noreturn]] void fail(int failure_fd, Step step) {
    Failure failure{step, errno};
    // A pipe takes this little in one piece; if the parent is gone there is nobody to tell.
    [[maybe_unused]] ssize_t written = ::write(failure_fd, &failure, sizeof failure);
    ::_exit(127);
}

void reset_signals(int failure_fd) {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) {
        // SIGKILL, SIGSTOP and glibc's own two cannot be set.
        if (::sigaction(number, &action, nullptr) != 0 && errno != EINVAL)
            fail(failure_fd, Step::reset_signals);
    }
    sigset_t none;
    ::sigemptyset(&none);
    if (::sigprocmask(SIG_SETMASK, &none, nullptr) != 0)
        fail(failure_fd, Step::reset_signals);
}

/// Moves the descriptors to their numbers by way of free high ones, so that no move overwrites a later one's
/// source. Everything else is marked close-on-exec, so that the pipe to the parent lives until the exec.
void map_fds(ChildPlan& plan) {
    int failure_fd = ::fcntl(plan.failure_fd, F_DUPFD_CLOEXEC, plan.first_free_fd);
    if (failure_fd < 0)
        fail(plan.failure_fd, Step::map_fd);
    plan.failure_fd = failure_fd;
    for (size_t i = 0; i < plan.fds.size(); ++i) {
        plan.staged[i] = ::fcntl(plan.fds[i].first, F_DUPFD_CLOEXEC, plan.first_free_fd);
        if (plan.staged[i] < 0)
            fail(plan.failure_fd, Step::map_fd);
    }
    if (::syscall(SYS_close_range, 0U, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
        fail(plan.failure_fd, Step::map_fd);
    for (size_t i = 0; i < plan.fds.size(); ++i) {
        if (::dup2(plan.staged[i], plan.fds[i].second) < 0)
            fail(plan.failure_fd, Step::map_fd);
    }
}

/// Until the parent says so. If that has gone, there is nobody to become the program for.
void wait_for_parent(const ChildPlan& plan) {
    if (plan.hold_fd < 0)
        return;
    ::close(plan.hold_write_fd);
    char byte = 0;
    ssize_t count;
    do {
        count = ::read(plan.hold_fd, &byte, 1);
    } while (count < 0 && errno == EINTR);
    if (count != 1)
        ::_exit(127);
}

[[noreturn]] void become_program(const SpawnSpec& spec, ChildPlan& plan, const char* executable) {
    wait_for_parent(plan);
    if (spec.namespaces_of >= 0 && ::setns(spec.namespaces_of, spec.joined_namespaces) != 0)
        fail(plan.failure_fd, Step::join_namespaces);
    map_fds(plan);
    if (spec.new_session && ::setsid() < 0)
        fail(plan.failure_fd, Step::new_session);
    for (const ResourceLimit& limit : spec.rlimits) {
        rlimit value{limit.soft, limit.hard};
        if (::setrlimit(static_cast<__rlimit_resource>(limit.resource), &value) != 0)
            fail(plan.failure_fd, Step::set_limit);
    }
    if (!spec.cwd.empty() && ::chdir(spec.cwd.c_str()) != 0)
        fail(plan.failure_fd, Step::change_folder);
    reset_signals(plan.failure_fd);
    ::execve(executable, plan.argv.data(), plan.env.data());
    fail(plan.failure_fd, Step::execute);
}

Error failure_error(const Failure& failure, const SpawnSpec& spec, const std::string& executable) {
    std::string what;
    switch (failure.step) {
    case Step::reset_signals:
        what = "reset the signals of " + executable;
        break;
    case Step::join_namespaces:
        what = "enter the namespaces for " + executable;
        break;
    case Step::map_fd:
        what = "pass descriptors to " + executable;
        break;
    case Step::set_limit:
        what = "set the resource limits of " + executable;
        break;
    case Step::new_session:
        what = "start a session for " + executable;
        break;
    case Step::change_folder:
        what = "change to folder " + spec.cwd + " for " + executable;
        break;
    case Step::execute:
        what = "execute " + executable;
        break;
    }
    return system_error(what, failure.errno_value);
}

/// Blocks all signals of this thread: a handler of the caller must not run in the child.
class BlockedSignals {
public:
    BlockedSignals() {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    BlockedSignals(const BlockedSignals&) = delete;
    BlockedSignals& operator=(const BlockedSignals&) = delete;
    ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_{};
};

std::vector<char*> c_strings(const std::vector<std::string>& strings) {
    std::vector<char*> pointers;
    pointers.reserve(strings.size() + 1);
    // execve's signature predates const; it does not write to them.
    for (const std::string& string : strings)
        pointers.push_back(const_cast<char*>(string.c_str()));
    pointers.push_back(nullptr);
    return pointers;
}

void kill_and_reap(Fd& pidfd) {
    // Best effort on the way out of an error that is reported already.
    (void)send_signal(pidfd.get(), SIGKILL);
    siginfo_t info{};
    while (::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED) != 0 && errno == EINTR) {
    }
}

/// Reads what the child has to say: nothing (end-of-file) once it has executed the program.
Result<void> await_exec(int failure_pipe, const SpawnSpec& spec, const std::string& executable) {
    pollfd ready{failure_pipe, POLLIN, 0};
    int count;
    do {
        count = ::poll(&ready, 1, exec_timeout_ms);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return system_error("wait for " + executable);
    if (count == 0)
        return Error(ErrorKind::timeout,
                     "execute " + executable + ": not done after " + std::to_string(exec_timeout_ms) + " ms");
    Failure failure{};
    ssize_t size;
    do {
        size = ::read(failure_pipe, &failure, sizeof failure);
    } while (size < 0 && errno == EINTR);
    if (size < 0)
        return system_error("read what became of " + executable);
    if (size == sizeof failure)
        return failure_error(failure, spec, executable);
    return {};
}

struct Pipe {
    Fd reader;
    Fd writer;
};

Result<Pipe> make_pipe(const std::string& executable) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return system_error("make a pipe for " + executable);
    return Pipe{Fd(ends[0]), Fd(ends[1])};
}

/// Lets a child that waits go on once `before_exec` has done its work.
Result<void> release(const Pipe& hold, const SpawnSpec& spec, pid_t pid) {
    RUNVM_TRY(spec.before_exec(pid));
    return write_all(hold.writer.get(), "\n",
                     "a pipe"); // there is a reader, our own, whatever the child does
}

/// With the signals blocked and, if asked, in another pid namespace.
Result<Spawned> clone_child(const SpawnSpec& spec, const std::string& executable) {
    Fd own_pid_namespace;
    if (spec.pid_namespace >= 0) {
        // setns(CLONE_NEWPID) changes only where this thread's next children are born; it is put back below.
        RUNVM_ASSIGN(own_pid_namespace, open_file("/proc/thread-self/ns/pid_for_children", O_RDONLY));
        if (::setns(spec.pid_namespace, CLONE_NEWPID) != 0)
            return system_error("enter the pid namespace for " + executable);
    }
    Result<Spawned> child = clone_process(spec.clone_flags);
    if (child && child->pid == 0)
        return child;
    if (own_pid_namespace && ::setns(own_pid_namespace.get(), CLONE_NEWPID) != 0) {
        Error error = system_error("return to the own pid namespace");
        if (child)
            kill_and_reap(child->pidfd);
        return error;
    }
    return std::move(child).context("start " + executable);
}

} // namespace

Result<Spawned> clone_process(uint64_t flags, int cgroup) {
    int pidfd = -1;
    clone_args args{};
    args.flags = flags | CLONE_PIDFD;
    args.pidfd = reinterpret_cast<uint64_t>(&pidfd); // the kernel's ABI takes addresses as numbers
    args.exit_signal = SIGCHLD;
    if (cgroup >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = static_cast<uint64_t>(cgroup);
    }
    auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
    // Docker's seccomp profile hides clone3, whose flags it cannot see; clone has the same ones but the
    // newest.
    if (pid < 0 && errno == ENOSYS && cgroup < 0)
        pid = static_cast<pid_t>(
            ::syscall(SYS_clone, flags | CLONE_PIDFD | SIGCHLD, nullptr, &pidfd, nullptr, 0));
    if (pid < 0)
        return system_error("clone a process");
    Spawned child;
    child.pid = pid;
    if (pid > 0)
        child.pidfd.reset(pidfd);
    return child;
}

Result<Spawned> spawn(const SpawnSpec& spec) {
    if (spec.argv.empty())
        return Error(ErrorKind::internal, "spawn without a program");
    const std::string& executable = spec.executable.empty() ? spec.argv[0] : spec.executable;

    RUNVM_ASSIGN(Pipe failure, make_pipe(executable));
    Pipe hold;
    if (spec.before_exec) {
        RUNVM_ASSIGN(hold, make_pipe(executable));
    }
    RUNVM_ASSIGN(Fd null, open_file("/dev/null", O_RDWR));

    ChildPlan plan{c_strings(spec.argv), c_strings(spec.env), spec.fds,         {}, 3,
                   failure.writer.get(), hold.reader.get(),   hold.writer.get()};
    for (int number = 0; number < 3; ++number) {
        bool named =
            std::any_of(spec.fds.begin(), spec.fds.end(), [&](auto& fd) { return fd.second == number; });
        if (!named)
            plan.fds.emplace_back(null.get(), number);
    }
    for (const auto& [from, to] : plan.fds)
        plan.first_free_fd = std::max(plan.first_free_fd, to + 1);
    plan.staged.resize(plan.fds.size(), -1);

    Spawned child;
    {
        BlockedSignals blocked;
        RUNVM_ASSIGN(child, clone_child(spec, executable));
        if (child.pid == 0)
            become_program(spec, plan, executable.c_str());
    }
    failure.writer.reset();
    Result<void> executed = spec.before_exec ? release(hold, spec, child.pid) : Result<void>();
    if (executed)
        executed = await_exec(failure.reader.get(), spec, executable);
    if (!executed) {
        kill_and_reap(child.pidfd);
        return std::move(executed).error();
    }
    return child;
}

Result<Fd> open_pidfd(pid_t pid) {
    Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (pidfd)
        return pidfd;
    Error error = system_error("open process " + std::to_string(pid));
    // EINVAL is also a thread's number and a reaped leader's: no process either way.
    if (error.errno_value() == ESRCH || error.errno_value() == EINVAL)
        return Error(ErrorKind::process_finished, error.message(), error.errno_value());
    return error;
}

Result<void> send_signal(int pidfd, int signal) {
    if (::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0)
        return {};
    Error error = system_error("send signal " + std::to_string(signal));
    if (error.errno_value() == ESRCH)
        return Error(ErrorKind::process_finished, error.message(), ESRCH);
    return error;
}

Result<bool> wait_for_end(int pidfd, int timeout_ms) {
    using std::chrono::steady_clock;
    auto deadline = steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    while (true) {
        int left_ms = -1;
        if (timeout_ms >= 0) {
            auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
            left_ms = static_cast<int>(std::max<int64_t>(left, 0));
        }
        pollfd ended{pidfd, POLLIN, 0};
        int count = ::poll(&ended, 1, left_ms);
        if (count > 0) {
            if ((ended.revents & POLLNVAL) != 0)
                return system_error("wait for a process", EBADF);
            return true;
        }
        if (count == 0)
            return false;
        if (errno != EINTR)
            return system_error("wait for a process");
    }
}

Result<std::optional<ExitStatus>> wait_for_exit(int pidfd, int timeout_ms) {
    RUNVM_ASSIGN(bool ended, wait_for_end(pidfd, timeout_ms));
    if (!ended)
        return std::optional<ExitStatus>();
    siginfo_t info{};
    while (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED) != 0) {
        if (errno != EINTR)
            return system_error("wait for a child process");
    }
    ExitStatus status;
    if (info.si_code == CLD_EXITED)
        status.code = info.si_status;
    else
        status.signal = info.si_status;
    return std::optional<ExitStatus>(status);
}

void end_child(const Spawned& child) {
    if (!child.pidfd)
        return;
    (void)send_signal(child.pidfd.get(), SIGKILL); // gone already: as wanted
    (void)wait_for_exit(child.pidfd.get(), end_timeout_ms);
}

} // namespace runvm::os
