#pragma once
// The two connections to the guest's agent, over virtio-serial or vsock: from nothing to streams that have
// gone through their handshake.

#include "core/result.h"
#include "os/fd.h"

#include <kj/async-io.h>
#include <kj/timer.h>

#include <cstdint>
#include <memory>
#include <string>

namespace runvm::sandbox {

struct AgentPorts {
    kj::Own<kj::AsyncIoStream> control;
    kj::Own<kj::AsyncIoStream> streams;
};

/// Serial: QEMU connects to our two sockets at its start. The promise resolves when the guest's agent has
/// answered the handshakes; it never fails by time.
kj::Promise<AgentPorts> open_serial_ports(kj::AsyncIoContext& io, os::Fd control_listener,
                                          os::Fd streams_listener);

/// vsock: the agent listens; any process of the host could connect to it, so it wants `secret_hex` first.
kj::Promise<AgentPorts> open_vsock_ports(kj::AsyncIoContext& io, uint32_t cid, const std::string& secret_hex);

/// 64 hexadecimal digits from the kernel's random numbers.
Result<std::string> make_secret();

} // namespace runvm::sandbox
