#pragma once
// The network namespace of a sandbox's containers on the host, as the sandbox sees it: the seam of its unit
// tests. NamespaceNetwork (namespace_network.h) is the real one.

#include "core/result.h"
#include "network/namespace.h"
#include "network/state.h"

#include <kj/async.h>

#include <string>

namespace runvm::sandbox {

class HostNetwork {
public:
    virtual ~HostNetwork() noexcept(false) = default; // kj's observers

    virtual network::NamespaceId id() const = 0;
    /// What the guest's network is to be like.
    virtual Result<network::State> read() = 0;
    /// Resolves when something may have changed since the last time that it did.
    virtual kj::Promise<void> changed() = 0;
    /// Makes the tap that a NIC for the link is to be plugged with; false: that is libvirt's to make.
    virtual Result<bool> make_tap(const network::Link& link, const std::string& tap) = 0;
    /// Ties the link to a tap, which is in the monitor's own network namespace, or has been tied before.
    virtual Result<void> connect(const network::Link& link, const std::string& tap) = 0;
    /// Undoes it; nothing happens if the link is gone.
    virtual void disconnect(const network::Link& link, const std::string& tap) = 0;
    /// Asks the resolver of the namespace; `message` is as RFC 1035 has it.
    virtual kj::Promise<Result<std::string>> ask_resolver(std::string message, bool over_tcp) = 0;
};

} // namespace runvm::sandbox
