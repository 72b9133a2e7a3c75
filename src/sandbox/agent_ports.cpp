#include "sandbox/agent_ports.h"

#include "channel/handshake.h"
#include "channel/port.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <linux/vm_sockets.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <array>

namespace runvm::sandbox {

namespace {

using channel::PortRole;

// The agent listens there: src/agent.
constexpr uint32_t vsock_control_port = 1024;
constexpr uint32_t vsock_streams_port = 1025;
constexpr auto vsock_retry = 20 * kj::MILLISECONDS;

channel::Nonce make_nonce() {
    channel::Nonce nonce{};
    // 16 bytes never come short, getrandom(2).
    KJ_REQUIRE(::getrandom(nonce.data(), nonce.size(), 0) == static_cast<ssize_t>(nonce.size()),
               "getrandom failed");
    return nonce;
}

kj::Promise<kj::Own<kj::AsyncIoStream>> shake(kj::Own<kj::AsyncIoStream> port, PortRole role,
                                              const channel::Nonce& nonce) {
    auto kept_nonce = kj::heap(nonce);
    auto done = channel::handshake_host(*port, role, *kept_nonce);
    return done.attach(kj::mv(kept_nonce)).then([port = kj::mv(port)]() mutable { return kj::mv(port); });
}

kj::Promise<AgentPorts> shake_both(kj::Promise<kj::Own<kj::AsyncIoStream>> control,
                                   kj::Promise<kj::Own<kj::AsyncIoStream>> streams) {
    channel::Nonce nonce = make_nonce();
    auto control_ready = control.then(
        [nonce](kj::Own<kj::AsyncIoStream>&& port) { return shake(kj::mv(port), PortRole::control, nonce); });
    auto streams_ready = streams.then(
        [nonce](kj::Own<kj::AsyncIoStream>&& port) { return shake(kj::mv(port), PortRole::streams, nonce); });
    auto both = kj::heapArrayBuilder<kj::Promise<kj::Own<kj::AsyncIoStream>>>(2);
    both.add(kj::mv(control_ready));
    both.add(kj::mv(streams_ready));
    return kj::joinPromises(both.finish()).then([](kj::Array<kj::Own<kj::AsyncIoStream>>&& ports) {
        return AgentPorts{kj::mv(ports[0]), kj::mv(ports[1])};
    });
}

kj::Promise<kj::Own<kj::AsyncIoStream>> accept_one(kj::AsyncIoContext& io, os::Fd listener) {
    using Observer = kj::UnixEventPort::FdObserver;
    ::fcntl(listener.get(), F_SETFL, ::fcntl(listener.get(), F_GETFL) | O_NONBLOCK);
    auto observer = kj::heap<Observer>(io.unixEventPort, listener.get(), Observer::OBSERVE_READ);
    auto ready = observer->whenBecomesReadable();
    return ready.attach(kj::mv(observer)).then([&io, listener = std::move(listener)]() mutable {
        os::Fd connected(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        KJ_REQUIRE(static_cast<bool>(connected), "accepting QEMU's connection failed", errno);
        return channel::wrap_port(io.unixEventPort, std::move(connected));
    });
}

// Resolves to an empty descriptor when nobody listens there yet.
kj::Promise<os::Fd> try_connect_vsock(kj::AsyncIoContext& io, uint32_t cid, uint32_t port) {
    using Observer = kj::UnixEventPort::FdObserver;
    os::Fd socket(::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    KJ_REQUIRE(static_cast<bool>(socket), "the kernel has no vsock", errno);
    sockaddr_vm address{};
    address.svm_family = AF_VSOCK;
    address.svm_cid = cid;
    address.svm_port = port;
    int connected = ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    if (connected == 0)
        return kj::mv(socket);
    if (errno != EINPROGRESS)
        return os::Fd();
    auto observer = kj::heap<Observer>(io.unixEventPort, socket.get(), Observer::OBSERVE_WRITE);
    auto ready = observer->whenBecomesWritable();
    return ready.attach(kj::mv(observer)).then([socket = std::move(socket)]() mutable {
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        return error == 0 ? std::move(socket) : os::Fd();
    });
}

kj::Promise<os::Fd> connect_vsock(kj::AsyncIoContext& io, uint32_t cid, uint32_t port) {
    return try_connect_vsock(io, cid, port).then([&io, cid, port](os::Fd&& socket) -> kj::Promise<os::Fd> {
        if (socket)
            return kj::mv(socket);
        return io.provider->getTimer().afterDelay(vsock_retry).then([&io, cid, port] {
            return connect_vsock(io, cid, port);
        });
    });
}

kj::Promise<kj::Own<kj::AsyncIoStream>> open_vsock_port(kj::AsyncIoContext& io, uint32_t cid, uint32_t port,
                                                        std::string secret) {
    return connect_vsock(io, cid, port).then([&io, secret = std::move(secret)](os::Fd&& socket) mutable {
        auto stream = channel::wrap_port(io.unixEventPort, std::move(socket));
        auto kept = kj::heap(std::move(secret));
        auto sent = stream->write(kept->data(), kept->size());
        return sent.attach(kj::mv(kept)).then([stream = kj::mv(stream)]() mutable { return kj::mv(stream); });
    });
}

} // namespace

kj::Promise<AgentPorts> open_serial_ports(kj::AsyncIoContext& io, os::Fd control_listener,
                                          os::Fd streams_listener) {
    return shake_both(accept_one(io, std::move(control_listener)),
                      accept_one(io, std::move(streams_listener)));
}

kj::Promise<AgentPorts> open_vsock_ports(kj::AsyncIoContext& io, uint32_t cid,
                                         const std::string& secret_hex) {
    return shake_both(open_vsock_port(io, cid, vsock_control_port, secret_hex),
                      open_vsock_port(io, cid, vsock_streams_port, secret_hex));
}

Result<std::string> make_secret() {
    std::array<unsigned char, 32> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        return system_error("get random numbers");
    std::string hex;
    for (unsigned char byte : bytes) {
        constexpr const char* digits = "0123456789abcdef";
        hex += digits[byte >> 4U];
        hex += digits[byte & 15U];
    }
    return hex;
}

} // namespace runvm::sandbox
