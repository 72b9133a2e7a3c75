#pragma once
// The file system that monitor, QEMU and virtiofsd live in: a small tmpfs with what they need, bound
// read-only, and nothing else of the host. It belongs to the monitor's mount namespace: with its last process
// it is gone.
//
//   /usr (/lib /bin ... as the host has them), /etc (a few files)     read-only
//   /boot/vmlinux, /boot/initrd.img                                   read-only
//   /cache                                                            the host's folder, read-write
//   /proc (of the pid namespace), /sys (read-only), /dev (a few nodes)
//   /sandbox          sockets and libvirt's root; /sandbox/log is a tmpfs of its own that may fill up
//   /shared           what virtiofsd exports: the trees that the sandbox was given, read-only but for those

#include "core/result.h"

#include <sys/types.h>

#include <string>
#include <vector>

namespace runvm::vm {

/// Where things are once the root has been entered.
namespace monitor_path {
inline constexpr const char* kernel = "/boot/vmlinux";
inline constexpr const char* image = "/boot/initrd.img";
inline constexpr const char* cache = "/cache";
inline constexpr const char* sandbox = "/sandbox";
inline constexpr const char* libvirt_root = "/sandbox/libvirt";
inline constexpr const char* log = "/sandbox/log";
inline constexpr const char* shared = "/shared";
} // namespace monitor_path

struct MonitorRoot {
    std::string kernel_path;  ///< the host's, absolute
    std::string image_path;   ///< the host's, absolute
    std::string cache_folder; ///< the host's; made if it is missing. Where that cannot be, /cache is not kept
    /// More files and folders of the host, read-only at the same place: configured programs. Those below /usr
    /// and the other system folders are there already.
    std::vector<std::string> readonly_paths;
    /// The host's folder where QEMU finds its sockets if it lives outside of the root, at the same place in
    /// it; "" if QEMU lives in the root.
    std::string machine_folder;
    uid_t qemu_uid = 0;
    gid_t qemu_gid = 0;
    bool use_kvm = false;   ///< /dev/kvm is there only then, and QEMU's own
    bool use_vsock = false; ///< /dev/vhost-vsock
};

/// Builds the root and moves the calling process into it, and with it those of its mount namespace that had
/// the namespace's old root (the reaper). The process has one thread, and mount, pid, network and ipc
/// namespaces of its own: /proc and /sys show these. Sets the umask to 022. After an error the process can
/// only end: its namespaces take with them what was built.
Result<void> enter_monitor_root(const MonitorRoot& root);

/// How a tree may be changed by the guest.
struct TreeAccess {
    bool readonly = false;           ///< the tree's top mount
    bool readonly_recursive = false; ///< the mounts below it, too
};

/// Shows a tree, a descriptor of open_tree(2) with OPEN_TREE_CLONE, at /shared/<path>. It gets all later
/// mounts and unmounts of the host below it, and gives none back (MS_SLAVE). `path`: "CONTAINER/NAME", of
/// [A-Za-z0-9_.+-]. On an error nothing is left.
Result<void> attach_tree(int tree_fd, const std::string& path, TreeAccess access);

/// Makes an attached tree read-only from now on. EBUSY while the guest has a file of it open for writing.
Result<void> make_tree_readonly(const std::string& path, bool recursive);

/// Takes a tree away, also one in use: what virtiofsd has open of it stays open until the guest lets go of
/// it. Success too when there is none.
Result<void> detach_tree(const std::string& path);

} // namespace runvm::vm
