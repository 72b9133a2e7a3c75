#pragma once
// Block devices of the host as disks of the machine.

#include "core/result.h"
#include "os/fd.h"

#include <sys/types.h>

#include <string>

namespace runvm::vm {

struct DiskSpec {
    std::string serial;  ///< [a-z0-9-], at most 20: the guest finds it by that
    std::string path;    ///< of its node, where QEMU opens it
    unsigned number = 0; ///< unique among the machine's disks
    bool readonly = false;
};

/// The device as libvirt's XML.
std::string disk_xml(const DiskSpec& disk);
/// The name by which it is unplugged.
std::string disk_alias(const std::string& serial);

/// A node of a device.
struct DiskNode {
    std::string path;
    os::Fd claim; ///< of a disk that is to be written: as long as it is open nobody else mounts or claims it
};

/// Makes one for QEMU alone, which it cannot change itself. The host's own may be root's. Refused if the disk
/// is in use on the host and is to be written: two kernels would write to one file system.
Result<DiskNode> make_disk_node(const DiskSpec& disk, dev_t device, gid_t qemu_gid);
/// Nothing happens if there is none.
void remove_disk_node(const std::string& serial);

} // namespace runvm::vm
