#pragma once
// Puts both ends of a port at the start of a session. Bytes of a dead session may still be in flight in either
// direction (virtio-serial has no connection), so the host sends MAGIC and a fresh nonce, the guest throws away
// everything up to MAGIC, answers MAGIC and the nonce, and the host throws away everything up to that.
// The port's number (control, streams) is part of the exchange, and on vsock a secret of this boot as well.

#include <kj/async-io.h>

#include <array>
#include <cstdint>

namespace runvm::channel {

using Nonce = std::array<uint8_t, 16>;

enum class PortRole : uint8_t { control = 1, streams = 2 };

/// Host's side. Fails when the port closes; never by itself in time: the caller sets a limit.
kj::Promise<void> handshake_host(kj::AsyncIoStream& port, PortRole role, const Nonce& nonce);

/// Guest's side: answers one handshake and returns the host's nonce.
kj::Promise<Nonce> handshake_guest(kj::AsyncIoStream& port, PortRole role);

} // namespace runvm::channel
