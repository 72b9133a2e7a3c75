#include "agent/ports.h"
#include "agent/secret.h"
#include "channel/port.h"
#include "os/fd.h"

#include <kj/debug.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

namespace runvm::agent {

namespace {

constexpr unsigned control_port = 1024;
constexpr unsigned streams_port = 1025;
constexpr int backlog = 8;
constexpr auto secret_limit = 5 * kj::SECONDS;

Result<os::Fd> listen_on(unsigned port) {
    os::Fd socket(::socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket)
        return system_error("open a vsock socket");
    sockaddr_vm address{};
    address.svm_family = AF_VSOCK;
    address.svm_cid = VMADDR_CID_ANY;
    address.svm_port = port;
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(socket.get(), backlog) != 0)
        return system_error("listen on vsock port " + std::to_string(port));
    return socket;
}

class VsockListener {
public:
    VsockListener(kj::UnixEventPort& event_port, os::Fd socket, const std::string& secret)
        : event_port_(event_port), socket_(std::move(socket)), secret_(secret),
          observer_(event_port, socket_.get(), kj::UnixEventPort::FdObserver::OBSERVE_READ) {}

    /// The next connection of the host that knows the secret; others are closed.
    kj::Promise<kj::Own<kj::AsyncIoStream>> accept() {
        return connection().then([this](os::Fd socket) -> kj::Promise<kj::Own<kj::AsyncIoStream>> {
            auto stream = channel::wrap_port(event_port_, std::move(socket));
            auto checked = event_port_.getTimer()
                               .timeoutAfter(secret_limit, check_secret(*stream, secret_))
                               .catch_([](kj::Exception&&) { return false; });
            return checked.then([this, stream = kj::mv(stream)](
                                    bool is_right) mutable -> kj::Promise<kj::Own<kj::AsyncIoStream>> {
                if (is_right)
                    return kj::mv(stream);
                return accept();
            });
        });
    }

private:
    kj::Promise<os::Fd> connection() {
        while (true) {
            sockaddr_vm peer{};
            socklen_t length = sizeof peer;
            os::Fd socket(::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&peer), &length,
                                    SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (socket && peer.svm_cid == VMADDR_CID_HOST)
                return kj::mv(socket);
            if (!socket && errno == EAGAIN)
                break;
            if (!socket && errno != EINTR && errno != ECONNABORTED)
                return KJ_EXCEPTION(FAILED, "accept on vsock", errno);
        }
        return observer_.whenBecomesReadable().then([this] { return connection(); });
    }

    kj::UnixEventPort& event_port_;
    os::Fd socket_;
    const std::string& secret_;
    kj::UnixEventPort::FdObserver observer_;
};

class VsockPorts final : public PortSource {
public:
    VsockPorts(kj::UnixEventPort& event_port, os::Fd control, os::Fd streams, std::string secret)
        : secret_(std::move(secret)), control_(event_port, std::move(control), secret_),
          streams_(event_port, std::move(streams), secret_) {}

    kj::Promise<SessionPorts> next() override {
        return control_.accept().then([this](kj::Own<kj::AsyncIoStream> control) {
            return streams_.accept().then(
                [control = kj::mv(control)](
                    kj::Own<kj::AsyncIoStream> streams) mutable -> kj::Promise<SessionPorts> {
                    SessionPorts ports{kj::mv(control), kj::mv(streams)};
                    auto paired = pair_ports(*ports.control, *ports.streams);
                    return paired.then([ports = kj::mv(ports)]() mutable { return kj::mv(ports); });
                });
        });
    }

private:
    const std::string secret_;
    VsockListener control_;
    VsockListener streams_;
};

} // namespace

Result<kj::Own<PortSource>> listen_on_vsock(kj::UnixEventPort& event_port, const std::string& secret) {
    if (!valid_secret(secret))
        return Error(ErrorKind::invalid_argument,
                     "runvm.channel=vsock needs a secret of 64 hexadecimal digits in the initial RAM disk");
    RUNVM_ASSIGN(os::Fd control, listen_on(control_port));
    RUNVM_ASSIGN(os::Fd streams, listen_on(streams_port));
    return kj::Own<PortSource>(
        kj::heap<VsockPorts>(event_port, std::move(control), std::move(streams), secret));
}

} // namespace runvm::agent
