#include "agent/ports.h"
#include "channel/port.h"
#include "os/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <poll.h>

#include <ctime>
#include <memory>
#include <string>

namespace runvm::agent {

namespace {

constexpr const char* ports_folder = "/sys/class/virtio-ports";
constexpr const char* control_name = "org.runvm.control.0";
constexpr const char* streams_name = "org.runvm.streams.0";
constexpr int port_wait_ms = 10'000;
constexpr long port_check_ns = 1'000'000;
constexpr auto first_host_check_interval = 5 * kj::MILLISECONDS;
constexpr auto max_host_check_interval = 160 * kj::MILLISECONDS;

/// "vport1p2" for a port's name; empty if there is none (yet).
std::string find_port(const std::string& name) {
    std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(ports_folder), ::closedir);
    if (!listing)
        return "";
    while (const dirent* entry = ::readdir(listing.get())) {
        if (entry->d_name[0] == '.')
            continue;
        Result<std::string> text = os::read_file(std::string(ports_folder) + "/" + entry->d_name + "/name");
        if (text && *text == name + "\n")
            return entry->d_name;
    }
    return "";
}

/// Waits for a port, without the event loop: nothing else can be done before.
Result<os::Fd> open_port(const std::string& name) {
    for (int waited_ms = 0; waited_ms < port_wait_ms; ++waited_ms) {
        std::string node = find_port(name);
        if (!node.empty()) {
            Result<os::Fd> port = os::open_file("/dev/" + node, O_RDWR | O_NONBLOCK);
            if (port || port.error().errno_value() != ENOENT)
                return port;
        }
        timespec interval{0, port_check_ns};
        ::nanosleep(&interval, nullptr);
    }
    return Error(ErrorKind::timeout, "no virtio port named " + name + " showed up within 10 s");
}

class VirtioPorts final : public PortSource {
public:
    VirtioPorts(kj::UnixEventPort& event_port, os::Fd control, os::Fd streams)
        : event_port_(event_port), control_(std::move(control)), streams_(std::move(streams)) {}

    kj::Promise<SessionPorts> next() override {
        return await_host(first_host_check_interval).then([this]() -> kj::Promise<SessionPorts> {
            SessionPorts ports{wrap(control_), wrap(streams_)};
            auto paired = pair_ports(*ports.control, *ports.streams);
            return paired.then([ports = kj::mv(ports)]() mutable { return kj::mv(ports); });
        });
    }

private:
    /// A port can be opened once, and closing it throws away what the host has sent: so it stays open, and a
    /// session gets a duplicate.
    kj::Own<kj::AsyncIoStream> wrap(const os::Fd& port) {
        os::Fd copy = os::duplicate(port.get());
        KJ_REQUIRE(copy.get() >= 0, "cannot duplicate a port", errno);
        return channel::wrap_port(event_port_, std::move(copy));
    }

    /// No event tells that a host has connected to a port: POLLHUP goes away. Who comes late waits a little
    /// longer, so that a guest without a host costs nothing.
    kj::Promise<void> await_host(kj::Duration interval) {
        pollfd ports[2] = {{control_.get(), 0, 0}, {streams_.get(), 0, 0}};
        ::poll(ports, 2, 0);
        if (((ports[0].revents | ports[1].revents) & POLLHUP) == 0)
            return kj::READY_NOW;
        return event_port_.getTimer().afterDelay(interval).then(
            [this, interval] { return await_host(kj::min(interval * 2, max_host_check_interval)); });
    }

    kj::UnixEventPort& event_port_;
    os::Fd control_;
    os::Fd streams_;
};

} // namespace

Result<kj::Own<PortSource>> open_virtio_ports(kj::UnixEventPort& event_port) {
    RUNVM_ASSIGN(os::Fd control, open_port(control_name));
    RUNVM_ASSIGN(os::Fd streams, open_port(streams_name));
    return kj::Own<PortSource>(kj::heap<VirtioPorts>(event_port, std::move(control), std::move(streams)));
}

} // namespace runvm::agent
