#include "agent/session.h"

#include "agent/boot.h"
#include "agent/cached_inodes.h"
#include "agent/console.h"
#include "agent/reaper.h"
#include "agent/scheduling.h"
#include "agent/service.h"
#include "channel/relay.h"
#include "core/number.h"

#include <capnp/rpc-twoparty.h>

#include <ctime>

namespace runvm::agent {

namespace {

/// Keeps a host whose handshakes fail at once from making the agent spin.
constexpr auto retry_interval = 10 * kj::MILLISECONDS;
constexpr uint64_t ns_per_s = 1'000'000'000;
constexpr uint64_t ns_per_ms = 1'000'000;
/// How many of the host's inodes virtiofsd can hold (VmMachine::prepare).
constexpr const char* shared_inodes_option = "shared_inodes";

/// What serves one session; it ends with it.
class Session {
public:
    Session(kj::UnixEventPort& event_port, SessionPorts ports, const GuestParts& guest)
        : containers_(guest.containers), relay_(event_port, kj::mv(ports.streams)),
          control_(kj::mv(ports.control)), network_(*control_, capnp::rpc::twoparty::Side::SERVER),
          rpc_(capnp::makeRpcServer(network_, kj::heap<AgentService>(guest, event_port.getTimer()))) {
        containers_.begin_session(relay_);
    }
    ~Session() noexcept(false) { containers_.end_session(); }
    KJ_DISALLOW_COPY(Session);

    /// Resolves or fails when either port is at its end.
    kj::Promise<void> run() { return network_.onDisconnect().exclusiveJoin(relay_.run()); }

private:
    Containers& containers_;
    channel::StreamRelay relay_;
    kj::Own<kj::AsyncIoStream> control_;
    capnp::TwoPartyVatNetwork network_;
    capnp::RpcSystem<capnp::rpc::twoparty::VatId> rpc_;
};

uint64_t boottime_ns() {
    timespec time{};
    ::clock_gettime(CLOCK_BOOTTIME, &time);
    return static_cast<uint64_t>(time.tv_sec) * ns_per_s + static_cast<uint64_t>(time.tv_nsec);
}

Result<void> serve_for_ever(uint64_t started_ns, BootedGuest guest) {
    Reaper::prepare();
    if (auto set = run_before_containers(); !set)
        log_line(set.error().to_string());
    kj::UnixEventPort event_port;
    kj::EventLoop loop(event_port);
    kj::WaitScope wait_scope(loop);

    RUNVM_ASSIGN(kj::Own<PortSource> ports, open_ports(event_port, guest.kernel_options));
    RUNVM_ASSIGN(Launcher launcher, Launcher::create(event_port));
    Containers containers(event_port, std::move(launcher));
    Reaper reaper(event_port, [&](pid_t pid, int status) { containers.child_ended(pid, status); });
    uint64_t ready_ns = boottime_ns();
    log_line("ready " + std::to_string(ready_ns / ns_per_ms) + " ms after the kernel's start, " +
             std::to_string((ready_ns - started_ns) / ns_per_ms) + " ms of them the agent's");
    CachedInodes cached_inodes(
        event_port, whole_number<uint64_t>(guest.kernel_options[shared_inodes_option]).value_or(0));
    FileWatches file_watches(event_port, guest.initial_root.get());
    Disks disks(event_port.getTimer(), guest.initial_root.get());
    NameRelay names(event_port);
    Network network(event_port.getTimer(), guest.initial_root.get(), names);
    Growth growth(event_port.getTimer(), guest.initial_root.get(), [&] {
        cached_inodes.cover_cpus();
        file_watches.cover_cpus();
    });
    Sessions sessions(event_port, *ports,
                      {containers, growth, cached_inodes, file_watches, disks, network, names, ready_ns});
    reaper.run().exclusiveJoin(sessions.run()).wait(wait_scope);
    return Error(ErrorKind::internal, "the event loop has ended");
}

} // namespace

kj::Promise<void> Sessions::run() {
    return ports_.next()
        .then([this](SessionPorts ports) { return serve(kj::mv(ports)); })
        .then([] { log_line("the session with the host has ended"); },
              [](kj::Exception&& exception) {
                  log_line(std::string("the session with the host broke: ") +
                           exception.getDescription().cStr());
              })
        .then([this] { return event_port_.getTimer().afterDelay(retry_interval); })
        .then([this] { return run(); });
}

kj::Promise<void> Sessions::serve(SessionPorts ports) {
    auto session = kj::heap<Session>(event_port_, kj::mv(ports), guest_);
    auto ended = session->run();
    return ended.attach(kj::mv(session));
}

void run_agent() {
    uint64_t started_ns = boottime_ns();
    try {
        Result<BootedGuest> guest = boot_guest();
        if (!guest)
            give_up(guest.error().to_string());
        Result<void> ended = serve_for_ever(started_ns, std::move(*guest));
        give_up(ended.error().to_string());
    } catch (const kj::Exception& exception) {
        give_up(kj::str(exception).cStr());
    } catch (const std::exception& exception) {
        give_up(exception.what());
    }
}

} // namespace runvm::agent
