#include "shim/run.h"

#include "cgroup/oom_sacrifice.h"
#include "channel/caller_stream.h"
#include "channel/rpc_error.h"
#include "core/signals.h"
#include "os/file.h"
#include "protocol/sandbox.capnp.h"
#include "shim/exit.h"
#include "shim/stdio.h"
#include "shim/terminal.h"

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>

#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <sched.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <memory>
#include <vector>

namespace runvm::shim {

namespace {

using Direction = protocol::StreamBinding::Direction;
using ExitStatus = protocol::ExitStatus;

// After the process has ended: how long we wait for output that does not come from the guest, or that nobody
// reads of a process that was to end at once, and how long for end-of-file when all output has been written,
// before children of the process are served from the background.
constexpr auto stall_limit = 2 * kj::SECONDS;
constexpr auto end_of_file_limit = 100 * kj::MILLISECONDS;

struct Stream {
    uint32_t process_fd;
    bool from_process;
    std::unique_ptr<Copy> copy;
};

class Shim {
public:
    Shim(const RunOptions& options, kj::AsyncIoContext& io)
        : options_(options), io_(io), tasks_(ignore_errors_),
          connection_(channel::caller_stream(*io.lowLevelProvider, os::Fd(options.monitor_fd))),
          client_(*connection_, 1) {}

    Result<void> open_streams();
    Result<void> watch_signals();
    /// Serves the process until it has ended, and returns how.
    Ending serve();
    /// After the end, and before anybody sees it: tells the host's cgroup what happened in the guest.
    void tell_of_oom() const;
    /// After the end: leaves what is still open to processes in the background.
    void leave_open_streams();

private:
    struct IgnoreErrors final : kj::TaskSet::ErrorHandler {
        void taskFailed(kj::Exception&&) override {}
    };

    Result<void> add_copy(const StreamOption& stream, bool from_process, os::Fd caller, os::Fd pipe);
    kj::Promise<void> forward_signals();
    void forward(int signal);
    kj::Promise<void> drain(ExitStatus::Reader status);
    kj::Promise<void> drain(Stream& stream, uint64_t bytes, uint64_t seen);
    void leave_now();
    void copy_all();

    const RunOptions& options_;
    kj::AsyncIoContext& io_;
    IgnoreErrors ignore_errors_;
    std::vector<Stream> streams_;
    os::Fd signals_;
    kj::Own<kj::UnixEventPort::FdObserver> signals_observer_;
    kj::TaskSet tasks_;
    kj::Own<kj::AsyncCapabilityStream> connection_;
    capnp::TwoPartyClient client_;
    kj::Maybe<protocol::AttachedProcess::Client> process_;
    bool patient_ = true; ///< the caller may take as long as it likes to read what an ended process wrote
    bool leaving_ = false;
    bool out_of_memory_ = false; ///< the guest's kernel killed a process of the container
    kj::PromiseFulfillerPair<void> left_ = kj::newPromiseAndFulfiller<void>();
};

Result<void> Shim::add_copy(const StreamOption& stream, bool from_process, os::Fd caller, os::Fd pipe) {
    // The terminal's slave is no other's: it may be made non-blocking as it is.
    auto callers_end = stream.caller_fd == options_.terminal_fd
                           ? os::StreamEnd::own(std::move(caller))
                           : os::StreamEnd::shared(std::move(caller), from_process ? O_WRONLY : O_RDONLY);
    if (!callers_end)
        return std::move(callers_end).error();
    RUNVM_ASSIGN(os::StreamEnd our_end, os::StreamEnd::own(std::move(pipe)));
    auto copy = from_process
                    ? std::make_unique<Copy>(io_.unixEventPort, std::move(our_end), *std::move(callers_end))
                    : std::make_unique<Copy>(io_.unixEventPort, *std::move(callers_end), std::move(our_end));
    streams_.push_back({stream.process_fd, from_process, std::move(copy)});
    return {};
}

Result<void> Shim::open_streams() {
    for (const StreamOption& stream : options_.streams) {
        if (stream.direction == Direction::BOTH) {
            os::Fd caller = os::duplicate(stream.caller_fd);
            os::Fd pipe = os::duplicate(stream.pipe_fd);
            RUNVM_TRY(add_copy(stream, true, std::move(caller), std::move(pipe)));
        }
        bool from_process = stream.direction == Direction::FROM_PROCESS;
        bool both = stream.direction == Direction::BOTH;
        os::Fd caller = both ? os::duplicate(stream.caller_fd) : os::Fd(stream.caller_fd);
        RUNVM_TRY(add_copy(stream, from_process, std::move(caller), os::Fd(stream.pipe_fd)));
    }
    return {};
}

Result<void> Shim::watch_signals() {
    sigset_t all;
    ::sigfillset(&all);
    signals_ = os::Fd(::signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!signals_)
        return system_error("open a signalfd");
    using Observer = kj::UnixEventPort::FdObserver;
    signals_observer_ = kj::heap<Observer>(io_.unixEventPort, signals_.get(), Observer::OBSERVE_READ);
    return {};
}

kj::Promise<void> Shim::forward_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info)
        forward(static_cast<int>(info.ssi_signo));
    return signals_observer_->whenBecomesReadable().then([this] { return forward_signals(); });
}

void Shim::forward(int signal) {
    KJ_IF_MAYBE (process, process_) {
        if (signal == SIGWINCH && options_.terminal_fd >= 0) {
            winsize size{};
            if (!read_size(options_.terminal_fd, size))
                return;
            auto request = process->winsizeRequest();
            request.setHeight(size.ws_row);
            request.setWidth(size.ws_col);
            tasks_.add(request.send().ignoreResult());
            return;
        }
        // Ours alone: a broken pipe of the caller's, and children (there are none).
        if (signal == SIGPIPE || signal == SIGCHLD)
            return;
        auto request = process->signalRequest();
        request.setSignal(signal);
        // A process that has ended cannot have it: then it is ours.
        bool fatal = ends_by_default(signal);
        tasks_.add(request.send().then(
            [this, fatal](capnp::Response<protocol::AttachedProcess::SignalResults>&& answer) {
                if (fatal && answer.getError().getFailed())
                    leave_now();
            }));
    }
}

void Shim::leave_now() {
    leaving_ = true;
    left_.fulfiller->fulfill();
}

void Shim::copy_all() {
    for (Stream& stream : streams_)
        tasks_.add(stream.copy->run());
}

// Waits until the caller has what the process wrote: `bytes`, of which `seen` had been taken when we last
// looked. With runc it is the process itself that waits for a caller which does not read, as long as it takes
// and until it is killed: so do we.
kj::Promise<void> Shim::drain(Stream& stream, uint64_t bytes, uint64_t seen) {
    auto& timer = io_.provider->getTimer();
    return stream.copy->reached(bytes)
        .then([] { return true; })
        .exclusiveJoin(timer.afterDelay(stall_limit).then([] { return false; }))
        .then([this, &stream, bytes, seen](bool reached) -> kj::Promise<void> {
            Copy& copy = *stream.copy;
            bool goes_on = copy.bytes() > seen || (patient_ && copy.waits_for_sink());
            if (!reached && goes_on)
                return drain(stream, bytes, copy.bytes());
            return kj::READY_NOW;
        });
}

kj::Promise<void> Shim::drain(ExitStatus::Reader status) {
    auto waits = kj::Vector<kj::Promise<void>>();
    for (Stream& stream : streams_) {
        if (!stream.from_process)
            continue;
        for (auto end : status.getStreams())
            if (end.getStream() == stream.process_fd)
                waits.add(drain(stream, end.getBytes(), stream.copy->bytes()));
    }
    auto& timer = io_.provider->getTimer();
    return kj::joinPromises(waits.releaseAsArray()).then([this, &timer]() -> kj::Promise<void> {
        auto ends = kj::Vector<kj::Promise<void>>();
        for (Stream& stream : streams_)
            if (stream.from_process && !stream.copy->over())
                ends.add(stream.copy->reached(UINT64_MAX));
        if (ends.empty())
            return kj::READY_NOW;
        return kj::joinPromises(ends.releaseAsArray()).exclusiveJoin(timer.afterDelay(end_of_file_limit));
    });
}

Ending Shim::serve() {
    auto service = client_.bootstrap().castAs<protocol::SandboxService>();
    auto sandbox = service.fetchSandboxRequest().send().getSandbox();
    auto attach = sandbox.attachProcessRequest();
    attach.setId(options_.id);
    attach.setExecId(options_.exec_id);
    auto process = attach.send().getProcess();
    process_ = process;
    copy_all();
    tasks_.add(forward_signals());
    if (options_.terminal_fd >= 0)
        forward(SIGWINCH);

    Ending ending;
    process.waitRequest()
        .send()
        .then(
            [this, &ending](capnp::Response<protocol::AttachedProcess::WaitResults>&& answer) {
                auto status = answer.getStatus();
                ending.signal = status.getSignaled() ? static_cast<int>(status.getValue()) : 0;
                ending.code = status.getSignaled() ? 0 : static_cast<int>(status.getValue());
                patient_ = !answer.getToldToEnd();
                out_of_memory_ = status.getOomKilled();
                return drain(status).attach(kj::mv(answer)).exclusiveJoin(kj::mv(left_.promise));
            },
            [this, &ending](kj::Exception&&) {
                // The monitor is gone, and the VM with it: what is in the pipes is all there will be.
                ending.signal = SIGKILL;
                capnp::MallocMessageBuilder none;
                return drain(none.initRoot<ExitStatus>().asReader());
            })
        .wait(io_.waitScope);
    return ending;
}

void Shim::tell_of_oom() const {
    if (out_of_memory_ && options_.memory_cgroup_fd >= 0)
        cgroup::sacrifice_for_oom(options_.memory_cgroup_fd, options_.proc_fd);
}

void Shim::leave_open_streams() {
    if (leaving_)
        return;
    for (Stream& stream : streams_) {
        if (!stream.from_process || stream.copy->over())
            continue;
        if (::fork() != 0)
            continue;
        for (Stream& other : streams_)
            if (&other != &stream)
                other.copy->abandon();
        ::close(options_.monitor_fd);
        stream.copy->finish_blocking();
        ::_exit(0);
    }
}

Result<void> prepare(const RunOptions& options) {
    if (options.terminal_fd >= 0)
        RUNVM_TRY(take_terminal(options.terminal_fd));
    sigset_t all;
    ::sigfillset(&all);
    if (::sigprocmask(SIG_SETMASK, &all, nullptr) != 0)
        return system_error("block signals");
    return {};
}

// Last: from here on /proc/self/fd is out of reach.
Result<void> enter_namespaces(const RunOptions& options) {
    constexpr int namespaces = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    if (::setns(options.init_fd, namespaces) != 0)
        return system_error("join the container's namespaces");
    ::close(options.init_fd);
    return {};
}

/// The container's first process is the last to end, as in a pid namespace of Linux (zap_pid_ns_processes in
/// kernel/pid_namespace.c waits until the others have been waited for). Callers count on it: Docker 20.10
/// forgets a container with its first process, and an exec whose end comes later has none for it. Those
/// others are the shims of execs; one that is stuck with what nobody reads does not hold us for ever.
void await_execs() {
    constexpr int checks = 2000;
    constexpr timespec interval{0, 1'000'000};
    // Of the namespace; its own first process and we do not count.
    for (int i = 0; i < checks && ::kill(-1, 0) == 0; ++i)
        ::nanosleep(&interval, nullptr);
}

int report(const RunOptions& options, const Error& error) {
    (void)os::write_all(options.ready_fd, error.to_string(), "the report");
    return 1;
}

} // namespace

int run_shim(const RunOptions& options) {
    if (auto prepared = prepare(options); !prepared)
        return report(options, prepared.error());
    auto io = kj::setupAsyncIo();
    Shim shim(options, io);
    auto opened = shim.open_streams();
    if (opened)
        opened = shim.watch_signals();
    if (opened)
        opened = enter_namespaces(options);
    if (!opened)
        return report(options, opened.error());
    ::close(options.ready_fd);

    Ending ending = shim.serve();
    if (options.exec_id.empty())
        await_execs();
    shim.tell_of_oom();
    shim.leave_open_streams();
    end_like(ending);
}

} // namespace runvm::shim
