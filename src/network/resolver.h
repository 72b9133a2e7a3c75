#pragma once
// A resolver in a container's network namespace: Docker's (libnetwork's resolver.go). It listens at
// 127.0.0.11, at some port to which rules of the namespace bring those who ask port 53.

#include "core/result.h"
#include "os/fd.h"

#include <cstdint>
#include <string_view>

namespace runvm::network {

inline constexpr uint32_t resolver_address = 0x7f00000b;
inline constexpr uint16_t name_port = 53;

/// Is there a UDP socket bound at its address? `table`: the text of /proc/net/udp.
bool names_resolver(std::string_view table);

// Of the network namespace that the calling thread is in:

Result<bool> has_resolver();
/// Has the kernel give sockets of the namespace ports that coupling.h lets answers through to.
Result<void> use_own_ports();
/// A socket that does not block, connected or about to be.
Result<os::Fd> connect_to_resolver(bool over_tcp);

} // namespace runvm::network
