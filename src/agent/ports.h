#pragma once
// Where sessions with the host come from: a pair of ports, one for RPC (control), one for stdio (streams).

#include "agent/kernel_options.h"
#include "channel/handshake.h"
#include "core/result.h"

#include <kj/async-io.h>
#include <kj/async-unix.h>

#include <string>

namespace runvm::agent {

struct SessionPorts {
    kj::Own<kj::AsyncIoStream> control;
    kj::Own<kj::AsyncIoStream> streams;
};

class PortSource {
public:
    virtual ~PortSource() noexcept(false) = default; // kj's observers

    /// The ports of the next session, through their handshakes. Fails when a port breaks meanwhile; may be
    /// called again.
    virtual kj::Promise<SessionPorts> next() = 0;
};

/// Answers handshakes on both ports until both have had one with the same nonce: a port that still is in an
/// older session has another nonce, and its newer handshake is on the way.
kj::Promise<void> pair_ports(kj::AsyncIoStream& control, kj::AsyncIoStream& streams);

/// The ports of virtio-serial, found by name in sysfs; they show up a moment after boot.
Result<kj::Own<PortSource>> open_virtio_ports(kj::UnixEventPort& event_port);

/// Listens on vsock ports 1024 and 1025.
Result<kj::Own<PortSource>> listen_on_vsock(kj::UnixEventPort& event_port, const std::string& secret);

/// The source that the kernel's command line asks for: runvm.channel=serial (the default) or vsock, the
/// latter with the "secret" that boot_guest has added.
Result<kj::Own<PortSource>> open_ports(kj::UnixEventPort& event_port, const KernelOptions& kernel_options);

} // namespace runvm::agent
