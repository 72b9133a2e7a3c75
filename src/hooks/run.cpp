#include "hooks/run.h"

#include "hooks/failure.h"
#include "os/file.h"
#include "os/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>

namespace runvm::hooks {

namespace {

using Clock = std::chrono::steady_clock;

// A file and not a pipe: a hook need not read it.
Result<os::Fd> make_input(const std::string& text) {
    os::Fd file(::memfd_create("container-state", MFD_CLOEXEC));
    if (!file)
        return system_error("make a file for the hook's input");
    RUNVM_TRY(os::write_all(file.get(), text, "the hook's input"));
    if (::lseek(file.get(), 0, SEEK_SET) != 0)
        return system_error("rewind the hook's input");
    return file;
}

// What comes out of one of a hook's descriptors.
class Output {
public:
    Result<os::Fd> open() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0)
            return system_error("make a pipe for the hook's output");
        reader_ = os::Fd(ends[0]);
        os::Fd writer(ends[1]);
        if (::fcntl(reader_.get(), F_SETFL, O_NONBLOCK) != 0)
            return system_error("set O_NONBLOCK");
        return writer;
    }
    pollfd wanted() const { return {reader_.get(), POLLIN, 0}; }
    void read() {
        std::array<char, 4096> piece;
        ssize_t count;
        while ((count = ::read(reader_.get(), piece.data(), piece.size())) > 0)
            kept_.append({piece.data(), static_cast<size_t>(count)});
        if (count == 0)
            reader_.reset();
    }
    const KeptOutput& kept() const { return kept_; }

private:
    os::Fd reader_;
    KeptOutput kept_;
};

class HookRun {
public:
    HookRun(const Hook& hook, const Place& place) : hook_(hook), place_(place) {}
    HookRun(const HookRun&) = delete;
    HookRun& operator=(const HookRun&) = delete;
    ~HookRun() {
        if (!process_.pidfd)
            return;
        ::kill(-process_.pid, SIGKILL);
        os::end_child(process_);
    }

    Result<void> run(const std::string& state) {
        RUNVM_TRY(start(state));
        RUNVM_TRY(wait());
        RUNVM_ASSIGN(std::optional<os::ExitStatus> status, os::wait_for_exit(process_.pidfd.get(), 0));
        process_.pidfd.reset(); // reaped: its number may be another's
        out_.read();
        err_.read();
        if (status && status->shell_code() != 0)
            return failure(*status, out_.kept(), err_.kept());
        return {};
    }

private:
    Result<void> start(const std::string& state) {
        RUNVM_ASSIGN(os::Fd input, make_input(state));
        RUNVM_ASSIGN(os::Fd out, out_.open());
        RUNVM_ASSIGN(os::Fd err, err_.open());
        os::SpawnSpec spec;
        spec.executable = hook_.path;
        spec.argv = hook_.args.empty() ? std::vector{hook_.path} : hook_.args;
        if (hook_.env)
            spec.env = *hook_.env;
        else
            for (char** entry = environ; *entry != nullptr; ++entry)
                spec.env.emplace_back(*entry);
        spec.fds = {{input.get(), 0}, {out.get(), 1}, {err.get(), 2}};
        spec.new_session = true;
        spec.cwd = place_.cwd;
        spec.pid_namespace = place_.pid_namespace;
        spec.namespaces_of = place_.namespaces_of;
        spec.joined_namespaces = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
        RUNVM_ASSIGN(process_, os::spawn(spec));
        return {};
    }

    Result<void> wait() {
        auto deadline = Clock::now() + std::chrono::seconds(hook_.timeout_s);
        while (true) {
            std::array<pollfd, 4> polled = {{{process_.pidfd.get(), POLLIN, 0},
                                             out_.wanted(),
                                             err_.wanted(),
                                             {place_.interrupts_fd, POLLIN, 0}}};
            int left_ms = -1;
            if (hook_.timeout_s != 0)
                left_ms = static_cast<int>(std::max<int64_t>(
                    std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count(), 0));
            int ready = ::poll(polled.data(), polled.size(), left_ms);
            if (ready < 0 && errno != EINTR)
                return system_error("wait for the hook");
            if (ready == 0)
                return Error(ErrorKind::timeout,
                             "hook ran past specified timeout of " + std::to_string(hook_.timeout_s) + ".0s");
            if (polled[1].revents != 0)
                out_.read();
            if (polled[2].revents != 0)
                err_.read();
            if (polled[3].revents != 0)
                return Error(ErrorKind::interrupted, "interrupted");
            if (polled[0].revents != 0)
                return {};
        }
    }

    const Hook& hook_;
    const Place& place_;
    Output out_;
    Output err_;
    os::Spawned process_;
};

} // namespace

Result<void> run(const char* kind, std::span<const Hook> hooks, const std::string& state,
                 const Place& place) {
    for (size_t i = 0; i < hooks.size(); ++i) {
        auto ran = HookRun(hooks[i], place).run(state);
        if (!ran)
            return std::move(ran).context(std::string("error running ") + kind + " hook #" +
                                          std::to_string(i));
    }
    return {};
}

} // namespace runvm::hooks
