#pragma once
// The RPC session with the guest's agent on its control port, and the limits of what a hostile guest can make
// us hold and look at in it.

#include "channel/checked_messages.h"
#include "protocol/agent.capnp.h"

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>

namespace runvm::sandbox {

class AgentSession {
public:
    /// `port` has gone through its handshake.
    explicit AgentSession(kj::Own<kj::AsyncIoStream> port);
    ~AgentSession() noexcept;
    KJ_DISALLOW_COPY(AgentSession);

    /// The session's first call. Fails if the agent refuses it or speaks another version of the protocol.
    kj::Promise<protocol::Agent::Client> greet();

private:
    kj::Own<kj::AsyncIoStream> port_;
    channel::CheckedMessages answers_;
    capnp::TwoPartyVatNetwork network_;
    capnp::RpcSystem<capnp::rpc::twoparty::VatId> rpc_;
};

} // namespace runvm::sandbox
