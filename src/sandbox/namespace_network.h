#pragma once

#include "network/model.h"
#include "network/netlink.h"
#include "os/fd.h"
#include "sandbox/host_network.h"

#include <kj/async-unix.h>

#include <map>
#include <memory>
#include <string>

namespace runvm::sandbox {

/// A namespace's links, over netlink. It lives as long as this.
class NamespaceNetwork final : public HostNetwork {
public:
    static Result<std::unique_ptr<HostNetwork>> open(kj::UnixEventPort& event_port, os::Fd space,
                                                     network::Model model);

    network::NamespaceId id() const override { return id_; }
    Result<network::State> read() override;
    kj::Promise<void> changed() override;
    Result<bool> make_tap(const network::Link& link, const std::string& tap) override;
    Result<void> connect(const network::Link& link, const std::string& tap) override;
    void disconnect(const network::Link& link, const std::string& tap) override;
    kj::Promise<Result<std::string>> ask_resolver(std::string message, bool over_tcp) override;

    NamespaceNetwork(kj::UnixEventPort& event_port, network::Namespace space, network::NamespaceId id,
                     network::Netlink netlink, os::Fd notices, network::Model model);

private:
    bool serves_links() const { return model_ != network::Model::none; }
    bool take_notices();
    Result<uint32_t> move_tap(const std::string& tap);
    Result<void> connect_with_tc(const network::Link& link, const std::string& tap);

    kj::UnixEventPort& event_port_;
    network::Namespace space_;
    network::NamespaceId id_;
    network::Netlink netlink_;
    os::Fd notices_;
    network::Model model_;
    /// Those that have been moved into the namespace: their numbers there. Another machine's may have the
    /// same name.
    std::map<std::string, uint32_t> taps_;
    kj::UnixEventPort::FdObserver observer_; ///< of notices_, before which it goes
};

} // namespace runvm::sandbox
