#pragma once
// config-linux.md, "devices", and which device numbers mean the same thing in the guest as on the host.

#include "oci/config.h"
#include "oci/document.h"

#include <cstdint>

namespace runvm::oci {

/// True if a node with these numbers, made in the guest, is what its maker expects: a device that every Linux
/// has (null, tty, ...), one that always means the guest's own (fuse, net/tun, loop), or one that this host
/// does not have either (a node that nothing stands behind, here as there).
bool is_guest_device(char type, int64_t major, int64_t minor);

/// True if these are the numbers of a disk of the host that a machine can be given: any block device, but a
/// loop device only while a file is bound to it. An unbound one means the guest's, as does loop-control.
bool is_host_disk(int64_t major, int64_t minor);

/// Its disks become disks of the machine, read-only unless the rules in `container`, which have been read by
/// then, let it write. `allow_all`: the device rules allow everything. Docker and Podman list every device of
/// the host for a privileged container: those that only the host has are then left out instead of refused.
void read_devices(const Value& devices, bool allow_all, protocol::Container::Builder container);

} // namespace runvm::oci
