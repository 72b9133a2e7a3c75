#pragma once
// The state of a namespace as the protocol carries it.

#include "core/result.h"
#include "network/state.h"
#include "protocol/common.capnp.h"

namespace runvm::network {

void write_state(const State& state, protocol::Network::Builder out);

/// invalid_argument where the message says what no namespace can have: too many entries, a name that is not a
/// link's, an address of another length, a link that is not in it.
Result<State> read_message(protocol::Network::Reader network);

} // namespace runvm::network
