#include "runtime/monitor_connection.h"

#include "channel/caller_stream.h"
#include "os/unix_socket.h"

#include <kj/io.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstring>

namespace runvm::runtime {

MonitorConnection::MonitorConnection(os::Fd socket)
    : io_(kj::setupAsyncIo()), stream_(channel::caller_stream(*io_.lowLevelProvider, std::move(socket))),
      // With 0, capnp would send none either (OutgoingMessageImpl::setFds).
      client_(*stream_, protocol::MAX_FDS_PER_MESSAGE) {}

Result<std::unique_ptr<MonitorConnection>> MonitorConnection::open(const std::string& sandbox_folder) {
    auto socket = os::connect_unix(sandbox_folder + "/monitor.sock");
    if (!socket)
        return Error(ErrorKind::unavailable, "the sandbox's monitor is gone: " + socket.error().to_string());
    return std::make_unique<MonitorConnection>(std::move(*socket));
}

void MonitorConnection::interrupted_by(int fd) {
    using Observer = kj::UnixEventPort::FdObserver;
    interrupts_fd_ = fd;
    if (fd >= 0)
        interrupts_ = kj::heap<Observer>(io_.unixEventPort, fd, Observer::OBSERVE_READ);
    else
        interrupts_.reset();
}

Error MonitorConnection::interruption() const {
    signalfd_siginfo info{};
    const char* name = nullptr;
    if (::read(interrupts_fd_, &info, sizeof info) == sizeof info)
        name = ::sigabbrev_np(static_cast<int>(info.ssi_signo));
    return {ErrorKind::interrupted,
            name != nullptr ? std::string("interrupted by SIG") + name : "interrupted by a signal"};
}

protocol::Sandbox::Client MonitorConnection::sandbox() {
    return service().fetchSandboxRequest().send().getSandbox();
}

} // namespace runvm::runtime
