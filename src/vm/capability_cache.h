#pragma once
// libvirt's knowledge of an emulator: getting it costs two starts of QEMU, 2 to 4 s under TCG, for every new
// root. So one folder of the machine keeps it for all sandboxes: it is copied into a root before libvirt
// opens it, and back when libvirt had to find something out. The folder may be missing, read-only or full:
// then it is of no use, and nothing fails. libvirt itself checks whether what it reads still fits the
// emulator.

#include "os/fd.h"

#include <map>
#include <string>

namespace runvm::vm {

class CapabilityCache {
public:
    /// `shared_folder`: the machine's; `root_folder`: libvirt's, as in qemu:///embed?root=.
    CapabilityCache(std::string shared_folder, const std::string& root_folder);

    /// Copies what there is into the root. If there is nothing, one starter finds it out and the others wait
    /// for it, at most 20 s: eight probes at once on two cpus would take half a minute.
    void fetch();
    /// Copies back what is new or was changed, and lets waiting starters go on.
    void store();

private:
    using Files = std::map<std::string, std::string>; ///< name to contents
    static Files read_folder(const std::string& folder);
    bool try_fetch();

    std::string shared_folder_;
    std::string root_folder_;
    Files fetched_;
    os::Fd lock_;
};

} // namespace runvm::vm
