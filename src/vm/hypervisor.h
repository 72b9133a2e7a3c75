#pragma once
// The seam at libvirt: what the sandbox asks of a machine. Calls block (0.05 to 2 s) and may come from any
// one thread that is not the event loop's.

#include "core/result.h"
#include "vm/disk.h"
#include "vm/machine.h"

#include <functional>
#include <memory>
#include <string>

namespace runvm::vm {

class Hypervisor {
public:
    virtual ~Hypervisor() = default;
    /// Opens the connection and starts the machine; returns when QEMU runs (the guest has not booted yet).
    virtual Result<void> start(const MachineSpec& spec) = 0;
    virtual Result<void> suspend() = 0;
    virtual Result<void> resume() = 0;
    /// Plugs cpus, and gives the guest memory on top of what it booted with or takes it back; within what the
    /// machine was started with. The guest uses the one and the other when it has seen to it. Cpus stay.
    virtual Result<void> resize(uint32_t vcpus, uint64_t growth_mib) = 0;
    /// The guest sees it some time later.
    virtual Result<void> plug_disk(const DiskSpec& disk) = 0;
    /// Asks the guest to let go of it, and does not wait for that.
    virtual Result<void> unplug_disk(const std::string& serial) = 0;
    /// Makes the NIC's tap in the network namespace of this process.
    virtual Result<void> plug_nic(const Nic& nic) = 0;
    /// Returns when the guest has been asked; the NIC goes when it agrees.
    virtual Result<void> unplug_nic(const Nic& nic) = 0;
    /// Ends QEMU, however it is.
    virtual Result<void> destroy() = 0;
    /// QEMU's pid as this pid namespace numbers it; 0 while there is none.
    virtual pid_t process_id() const = 0;
    /// The last lines of QEMU's own log, for errors: at most 4 KiB.
    virtual std::string log_tail() const = 0;
    /// Called once, from a thread of the hypervisor's, when the machine has ended; with the reason.
    virtual void on_exit(std::function<void(std::string reason)> callback) = 0;
};

struct LibvirtOptions {
    std::string uri;          ///< "qemu:///embed" without a root, or another uri as it is
    std::string root_folder;  ///< the embedded driver's root: ours alone, on a tmpfs
    std::string cache_folder; ///< the shared capability cache as this mount namespace sees it
    uid_t qemu_uid = 0;
    gid_t qemu_gid = 0;
};

std::unique_ptr<Hypervisor> make_libvirt_hypervisor(LibvirtOptions options);

} // namespace runvm::vm
