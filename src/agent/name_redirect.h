#pragma once
// Brings what processes send to a resolver's address, port 53, to the port where the agent listens. Neither a
// rule of the guest's firewall, which may be a container's own, nor port 53 itself, which a container may
// take.

#include "agent/bpf.h"
#include "core/result.h"

#include <cstdint>

namespace runvm::agent {

/// Gives a socket's peer at the resolver's address (a struct bpf_sock_addr) the port `to` if it has `from`.
BpfProgram port_program(uint16_t from, uint16_t to);

/// For all IPv4 sockets of the processes in the cgroup (an open folder) and below, from now on. They see
/// port 53.
Result<void> redirect_names(int cgroup, uint16_t port);

} // namespace runvm::agent
