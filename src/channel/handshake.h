#pragma once
// Puts both ends of a port at the start of a session. Bytes of a dead session may still be in flight in
// either direction (virtio-serial has no connection), so the host sends MAGIC and a fresh nonce, the guest
// throws away everything up to MAGIC, answers MAGIC and the nonce, and the host throws away everything up to
// that. The port's number (control, streams) is part of the exchange.
//
//   request   MAGIC[8] role[1] nonce[16] END[8]
//   answer    MAGIC[8] role[1] nonce[16]
//
// Without its end a request that broke off would take the next one's first bytes for its nonce.
//
// Neither side reads a byte beyond the exchange: what follows belongs to the session. The guest may send at
// once after its answer, the host once it has the answer.

#include <kj/async-io.h>

#include <array>
#include <cstdint>

namespace runvm::channel {

using Nonce = std::array<uint8_t, 16>;

enum class PortRole : uint8_t { control = 1, streams = 2 };

/// Host's side. Fails when the port closes; never by itself in time: the caller sets a limit. A host that
/// gives up and tries again takes another nonce.
kj::Promise<void> handshake_host(kj::AsyncIoStream& port, PortRole role, const Nonce& nonce);

/// Guest's side: answers one handshake and returns the host's nonce. Requests for another role are thrown
/// away like any other bytes.
kj::Promise<Nonce> handshake_guest(kj::AsyncIoStream& port, PortRole role);

} // namespace runvm::channel
