#include "vm/disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace runvm::vm {
namespace {

std::string node_path(const std::string& serial) {
    return "/dev/" + serial;
}

/// vda to vdz, vdaa, ...: the guest does not see it, but libvirt wants one.
std::string target_of(unsigned number) {
    constexpr unsigned letters = 26;
    std::string name;
    for (++number; number > 0; number = (number - 1) / letters)
        name.insert(name.begin(), static_cast<char>('a' + (number - 1) % letters));
    return "vd" + name;
}

// What the kernel itself asks before it mounts: fails for what is mounted, or part of another device.
Result<os::Fd> claim_unused(const std::string& path, dev_t device) {
    os::Fd opened(::open(path.c_str(), O_RDWR | O_EXCL | O_CLOEXEC));
    if (opened)
        return opened;
    std::string name = std::to_string(major(device)) + ":" + std::to_string(minor(device));
    if (errno == EBUSY)
        return Error(
            ErrorKind::invalid_argument,
            "block device " + name +
                " is in use (mounted, part of another device, or another VM's), and a VM that writes to it "
                "would destroy what is on it; unmount it, or give it read-only");
    return system_error("open block device " + name);
}

// QEMU is of its group, and not its owner: that could change the mode.
Result<DiskNode> prepare_node(const DiskSpec& disk, dev_t device, gid_t qemu_gid) {
    DiskNode node{node_path(disk.serial), {}};
    if (::chown(node.path.c_str(), 0, qemu_gid) != 0 ||
        ::chmod(node.path.c_str(), disk.readonly ? 0440 : 0660) != 0)
        return system_error("chown and chmod " + node.path);
    if (!disk.readonly) {
        RUNVM_ASSIGN(node.claim, claim_unused(node.path, device));
    }
    return node;
}

} // namespace

// No cache of the host's: what the guest has flushed is on the disk, and the host reads no old data after it.
std::string disk_xml(const DiskSpec& disk) {
    return "<disk type='block' device='disk' model='virtio-transitional'>\n"
           "  <driver name='qemu' type='raw' cache='none' discard='unmap'/>\n"
           "  <source dev='" +
           disk.path + "'/>\n  <target dev='" + target_of(disk.number) + "' bus='virtio'/>\n" +
           (disk.readonly ? "  <readonly/>\n" : "") + "  <serial>" + disk.serial +
           "</serial>\n  <alias name='" + disk_alias(disk.serial) + "'/>\n</disk>\n";
}

std::string disk_alias(const std::string& serial) {
    return "ua-" + serial;
}

Result<DiskNode> make_disk_node(const DiskSpec& disk, dev_t device, gid_t qemu_gid) {
    std::string path = node_path(disk.serial);
    if (::mknod(path.c_str(), S_IFBLK | 0400, device) != 0)
        return system_error("mknod " + path);
    auto node = prepare_node(disk, device, qemu_gid);
    if (!node)
        remove_disk_node(disk.serial);
    return node;
}

void remove_disk_node(const std::string& serial) {
    (void)::unlink(node_path(serial).c_str());
}

} // namespace runvm::vm
