#pragma once
// What the sandbox asks of its machine, guest and host parts together: the seam of its unit tests. VmMachine
// (vm_machine.h) is the real one. All calls come from the event loop's thread, and none blocks for long.

#include "channel/relay.h"
#include "core/result.h"
#include "os/fd.h"
#include "protocol/agent.capnp.h"
#include "protocol/sandbox.capnp.h"
#include "sandbox/host_network.h"
#include "vm/file_events.h"
#include "vm/machine.h"

#include <kj/async.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace runvm::sandbox {

/// A booted guest: its agent has answered.
struct Guest {
    protocol::Agent::Client agent;
    std::unique_ptr<channel::StreamRelay> relay;
};

/// How a tree of the host is shown to the guest.
struct ShareRequest {
    std::string container;
    std::string name;
    os::Fd tree; ///< of open_tree(2)
    bool readonly = false;
    bool readonly_recursive = false;
};

struct DiskRequest {
    std::string serial;
    dev_t device = 0;
    bool readonly = false;
};

class Machine {
public:
    virtual ~Machine() = default;

    /// Starts the machine and connects to its agent. At most once.
    virtual kj::Promise<Result<std::unique_ptr<Guest>>> boot(protocol::SandboxConfig::Reader config) = 0;
    /// `callback` is called once, from the event loop, when the machine is over after it was started (also by
    /// `destroy`), with the reason.
    virtual void on_death(std::function<void(std::string reason)> callback) = 0;

    virtual kj::Promise<Result<void>> suspend() = 0;
    virtual kj::Promise<Result<void>> resume() = 0;
    /// As Hypervisor::resize.
    virtual kj::Promise<Result<void>> resize(uint32_t vcpus, uint64_t growth_mib) = 0;
    /// Ends QEMU however it is.
    virtual kj::Promise<Result<void>> destroy() = 0;

    virtual Result<void> attach_share(ShareRequest request) = 0;
    virtual Result<void> make_share_readonly(const std::string& container, const std::string& name) = 0;
    /// Takes all of a container's trees away; what cannot be taken is left to the end of the sandbox.
    virtual void detach_shares(const std::string& container) = 0;

    /// Plugs a block device of the host.
    virtual kj::Promise<Result<void>> plug_disk(DiskRequest request) = 0;
    /// What cannot be unplugged is left to the end of the sandbox.
    virtual kj::Promise<Result<void>> unplug_disk(const std::string& serial) = 0;

    /// Watches a file of the shares, whose path below their folder the guest has named, on the host.
    virtual Result<void> watch_file(uint32_t id, const std::string& path) = 0;
    virtual void unwatch_file(uint32_t id) = 0;
    /// What has happened to those that are watched; not empty. One at a time.
    virtual kj::Promise<std::vector<vm::FileEvent>> next_file_events() = 0;

    /// `space`: a network namespace.
    virtual Result<std::unique_ptr<HostNetwork>> open_network(os::Fd space) = 0;
    /// Gives the guest a NIC; its tap is in the monitor's own network namespace.
    virtual kj::Promise<Result<void>> plug_nic(const vm::Nic& nic) = 0;
    /// Asks the guest to give it up: its tap may be there for some time yet.
    virtual kj::Promise<Result<void>> unplug_nic(const vm::Nic& nic) = 0;

    virtual std::string console_tail() const = 0;
    virtual pid_t qemu_pid() const = 0;
    virtual pid_t virtiofsd_pid() const = 0;
};

} // namespace runvm::sandbox
