#include "vm/monitor_root.h"

#include "os/fd.h"
#include "os/file.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>

namespace runvm::vm {
namespace {

using os::Fd;

// Everything that the sandbox's programs can write is bounded, or a guest could fill the host's memory
// through them.
constexpr const char* root_bytes = "4m";
constexpr const char* sandbox_bytes =
    "64m"; // with vsock a copy of the initial RAM disk, until the guest has booted
constexpr const char* log_bytes = "512k";
constexpr const char* shared_bytes = "4m"; // mount points only

/// A tree of the host on its way into the new root.
struct Source {
    Fd tree;
    std::string target;
    bool folder = false;
};

/// A device of the host that gets a node of its own, owned by QEMU.
struct OwnNode {
    std::string path;
    dev_t device = 0;
};

struct HostParts {
    std::vector<Source> sources;
    std::vector<std::pair<std::string, std::string>> links; ///< path in the new root, and where it points
    std::vector<OwnNode> own_nodes;
};

enum class Access { readonly, readwrite };

/// Clones the mounts at `path`, cut off from the host's: nothing that is done to the clone reaches the host.
Result<Fd> clone_tree(const std::string& path, Access access) {
    Fd tree(::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
    if (!tree)
        return system_error("clone the mount of " + path);
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_NOSUID;
    if (access == Access::readonly)
        attributes.attr_set |= MOUNT_ATTR_RDONLY;
    attributes.propagation = MS_SLAVE;
    if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) != 0)
        return system_error("set the mount attributes of " + path);
    return tree;
}

bool exists(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

Result<void> take(HostParts& parts, const std::string& path, const std::string& target, Access access) {
    Source source;
    RUNVM_ASSIGN(source.tree, clone_tree(path, access));
    source.target = target;
    struct stat info {};
    if (::fstat(source.tree.get(), &info) != 0)
        return system_error("stat " + path);
    source.folder = S_ISDIR(info.st_mode);
    parts.sources.push_back(std::move(source));
    return {};
}

constexpr std::array<const char*, 7> system_folders = {"/usr",   "/bin",   "/sbin",  "/lib",
                                                       "/lib32", "/lib64", "/libx32"};

bool in_system_folder(const std::string& path) {
    return std::any_of(system_folders.begin(), system_folders.end(),
                       [&](const char* folder) { return path.rfind(std::string(folder) + "/", 0) == 0; });
}

/// /usr, and /bin, /lib and their like: links into it, or folders on systems that have not merged them.
Result<void> take_system_folder(HostParts& parts, const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0)
        return {};
    if (!S_ISLNK(info.st_mode))
        return take(parts, path, path, Access::readonly);
    std::array<char, PATH_MAX> target{};
    ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
    if (size < 0)
        return system_error("read link " + path);
    parts.links.emplace_back(path, std::string(target.data(), static_cast<size_t>(size)));
    return {};
}

Result<void> take_devices(HostParts& parts, const MonitorRoot& root) {
    for (const char* name : {"null", "zero", "full", "random", "urandom"})
        RUNVM_TRY(take(parts, std::string("/dev/") + name, std::string("/dev/") + name, Access::readwrite));
    // For taps, which libvirt makes; a kernel without it has no network to offer.
    if (exists("/dev/net/tun"))
        RUNVM_TRY(take(parts, "/dev/net/tun", "/dev/net/tun", Access::readwrite));
    // libvirt opens it for the machine's NICs.
    if (exists("/dev/vhost-net"))
        RUNVM_TRY(take(parts, "/dev/vhost-net", "/dev/vhost-net", Access::readwrite));
    if (root.use_vsock)
        RUNVM_TRY(take(parts, "/dev/vhost-vsock", "/dev/vhost-vsock", Access::readwrite));
    if (root.use_kvm) {
        struct stat info {};
        if (::stat("/dev/kvm", &info) != 0)
            return system_error("stat /dev/kvm");
        parts.own_nodes.push_back({"/dev/kvm", info.st_rdev});
    }
    return {};
}

/// Opens all that is needed of the host, while its paths still mean what the caller means by them.
Result<HostParts> take_host_parts(const MonitorRoot& root) {
    HostParts parts;
    for (const char* folder : system_folders)
        RUNVM_TRY(take_system_folder(parts, folder));
    // The loader's cache, and links that some of /usr's libraries are found through.
    for (const char* path : {"/etc/ld.so.cache", "/etc/alternatives"})
        if (exists(path))
            RUNVM_TRY(take(parts, path, path, Access::readonly));
    RUNVM_TRY(take_devices(parts, root));
    RUNVM_TRY(take(parts, root.kernel_path, monitor_path::kernel, Access::readonly));
    RUNVM_TRY(take(parts, root.image_path, monitor_path::image, Access::readonly));
    for (const std::string& path : root.readonly_paths)
        if (!in_system_folder(path))
            RUNVM_TRY(take(parts, path, path, Access::readonly));
    if (!root.machine_folder.empty())
        RUNVM_TRY(take(parts, root.machine_folder, root.machine_folder, Access::readwrite));
    // Without a cache each start probes anew (2 to 4 s under TCG): slow, but no reason to fail.
    if (!root.cache_folder.empty() && os::make_folders(root.cache_folder, 0755).ok())
        RUNVM_TRY(take(parts, root.cache_folder, monitor_path::cache, Access::readwrite));
    return parts;
}

using FilesystemOptions = std::vector<std::pair<const char*, const char*>>;

/// A new filesystem, mounted nowhere yet.
Result<Fd> new_filesystem(const char* type, const FilesystemOptions& options, unsigned attributes) {
    Fd context(::fsopen(type, FSOPEN_CLOEXEC));
    if (!context)
        return system_error(std::string("open filesystem ") + type);
    for (const auto& [key, value] : options)
        if (::fsconfig(context.get(), FSCONFIG_SET_STRING, key, value, 0) != 0)
            return system_error(std::string("set ") + type + " option " + key);
    if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
        return system_error(std::string("create filesystem ") + type);
    Fd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, attributes));
    if (!mount)
        return system_error(std::string("mount filesystem ") + type);
    return mount;
}

Result<void> attach(int mount, const std::string& target) {
    if (::move_mount(mount, "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
        return system_error("attach mount at " + target);
    return {};
}

Result<void> mount_new(const char* type, const std::string& target, const FilesystemOptions& options,
                       unsigned attributes) {
    RUNVM_TRY(os::make_folders(target, 0755));
    RUNVM_ASSIGN(Fd mount, new_filesystem(type, options, attributes));
    return attach(mount.get(), target);
}

/// Puts a new tmpfs in the place of the root and lets go of the old one.
Result<void> pivot_into_tmpfs() {
    // To the namespace's own root, in case the caller runs in a chroot: only a mount can be pivoted away
    // from.
    RUNVM_ASSIGN(Fd self, os::open_file("/proc/self/ns/mnt", O_RDONLY));
    if (::setns(self.get(), CLONE_NEWNS) != 0)
        return system_error("enter the root of the mount namespace");
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0)
        return system_error("cut mounts off from the host's");

    RUNVM_ASSIGN(Fd root,
                 new_filesystem("tmpfs", {{"mode", "0755"}, {"size", root_bytes}}, MOUNT_ATTR_NOSUID));
    RUNVM_TRY(attach(root.get(), "/"));
    if (::fchdir(root.get()) != 0)
        return system_error("chdir to the monitor's root");
    // With both at one place the old root comes to lie on the new one, as runc does it (rootfs_linux.go,
    // pivotRoot).
    if (::syscall(SYS_pivot_root, ".", ".") != 0)
        return system_error("pivot to the monitor's root");
    if (::umount2(".", MNT_DETACH) != 0)
        return system_error("detach the host's root");
    if (::chdir("/") != 0)
        return system_error("chdir to /");
    return {};
}

Result<void> make_mount_point(const std::string& target, bool folder) {
    if (folder)
        return os::make_folders(target, 0755);
    RUNVM_TRY(os::make_folders(target.substr(0, target.rfind('/')), 0755));
    RUNVM_ASSIGN(Fd file, os::open_file(target, O_WRONLY | O_CREAT, 0644));
    return {};
}

Result<void> place_host_parts(HostParts& parts, const MonitorRoot& root) {
    for (const auto& [path, target] : parts.links)
        if (::symlink(target.c_str(), path.c_str()) != 0)
            return system_error("link " + path);
    for (const Source& source : parts.sources) {
        RUNVM_TRY(make_mount_point(source.target, source.folder));
        RUNVM_TRY(attach(source.tree.get(), source.target));
    }
    for (const OwnNode& node : parts.own_nodes) {
        // A node of our own, because the host's may be root's alone, and changing its owner would change the
        // host.
        if (::mknod(node.path.c_str(), S_IFCHR | 0600, node.device) != 0)
            return system_error("mknod " + node.path);
        if (::chown(node.path.c_str(), root.qemu_uid, root.qemu_gid) != 0)
            return system_error("chown " + node.path);
    }
    return {};
}

/// The mount points below /shared are made through a second, writable mount of the same tmpfs, which
/// virtiofsd's root does not contain: the guest can change nothing in /shared itself.
constexpr const char* mount_points = "/sandbox/mount-points";

Result<void> mount_shared() {
    RUNVM_TRY(mount_new("tmpfs", mount_points, {{"mode", "0755"}, {"size", shared_bytes}},
                        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
    RUNVM_ASSIGN(Fd tree, clone_tree(mount_points, Access::readonly));
    RUNVM_TRY(os::make_folders(monitor_path::shared, 0755));
    return attach(tree.get(), monitor_path::shared);
}

/// The host's own accounts are none of the sandbox's business. But libvirt does not open without the account
/// that it was built to run QEMU as, although qemu.conf names another (virQEMUDriverConfigNew): whichever it
/// is, it is ours.
Result<void> write_accounts(uid_t uid, gid_t gid) {
    std::string users = "root:x:0:0:root:/:/usr/sbin/nologin\n";
    for (const char* name : {"libvirt-qemu", "qemu", "nobody"}) // Debian and Ubuntu, Fedora, Arch
        users += std::string(name) + ":x:" + std::to_string(uid) + ":" + std::to_string(gid) +
                 "::/:/usr/sbin/nologin\n";
    std::string groups = "root:x:0:\n";
    for (const char* name : {"libvirt-qemu", "kvm", "qemu", "nobody"})
        groups += std::string(name) + ":x:" + std::to_string(gid) + ":\n";
    RUNVM_TRY(os::write_file_atomically("/etc/passwd", users, 0644, false));
    return os::write_file_atomically("/etc/group", groups, 0644, false);
}

Result<void> populate(HostParts& parts, const MonitorRoot& root) {
    constexpr unsigned plain = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    for (const char* folder : {"/etc", "/dev", "/run", "/tmp", "/var", "/cache"})
        RUNVM_TRY(os::make_folders(folder, 0755));
    RUNVM_TRY(place_host_parts(parts, root));
    RUNVM_TRY(write_accounts(root.qemu_uid, root.qemu_gid));
    RUNVM_TRY(mount_new("proc", "/proc", {}, plain));
    RUNVM_TRY(mount_new("sysfs", "/sys", {}, plain | MOUNT_ATTR_RDONLY));
    // QEMU passes through to its sockets and libvirt's files, but lists nothing.
    RUNVM_TRY(mount_new("tmpfs", monitor_path::sandbox, {{"mode", "0711"}, {"size", sandbox_bytes}}, plain));
    RUNVM_TRY(mount_new("tmpfs", monitor_path::log, {{"mode", "0700"}, {"size", log_bytes}}, plain));
    RUNVM_TRY(os::make_folders(monitor_path::libvirt_root, 0711));
    std::string libvirt_log = std::string(monitor_path::libvirt_root) + "/log";
    if (::symlink(monitor_path::log, libvirt_log.c_str()) != 0)
        return system_error("link " + libvirt_log);
    return mount_shared();
}

/// The path below /shared, split; it comes from container ids, which others have checked already.
Result<void> check_tree_path(const std::string& path) {
    size_t begin = 0;
    while (true) {
        size_t end = path.find('/', begin);
        std::string part = path.substr(begin, end == std::string::npos ? end : end - begin);
        bool plain =
            part.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-") ==
            std::string::npos;
        if (part.empty() || part == "." || part == ".." || part.size() > NAME_MAX || !plain)
            return Error(ErrorKind::invalid_argument, "shared tree has the invalid path `" + path + "`");
        if (end == std::string::npos)
            return {};
        begin = end + 1;
    }
}

std::string point_path(const std::string& path) {
    return std::string(mount_points) + "/" + path;
}
std::string shared_path(const std::string& path) {
    return std::string(monitor_path::shared) + "/" + path;
}

/// Removes a mount point, and the container's folder with its last one.
void remove_mount_point(const std::string& path) {
    std::string point = point_path(path);
    if (::unlink(point.c_str()) != 0)
        ::rmdir(point.c_str());
    if (size_t slash = path.rfind('/'); slash != std::string::npos)
        ::rmdir(point_path(path.substr(0, slash)).c_str()); // fails while there are others
}

} // namespace

Result<void> enter_monitor_root(const MonitorRoot& root) {
    ::umask(022);
    auto parts = take_host_parts(root);
    if (!parts)
        return std::move(parts).context("make the monitor's root").error();
    RUNVM_TRY(pivot_into_tmpfs().context("make the monitor's root"));
    return populate(*parts, root).context("make the monitor's root");
}

Result<void> attach_tree(int tree_fd, const std::string& path, TreeAccess access) {
    RUNVM_TRY(check_tree_path(path));
    mount_attr attributes{};
    attributes.propagation = MS_SLAVE;
    if (::mount_setattr(tree_fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) != 0)
        return system_error("cut tree " + path + " off from the host's mounts");
    if (access.readonly || access.readonly_recursive) {
        mount_attr readonly{};
        readonly.attr_set = MOUNT_ATTR_RDONLY;
        unsigned recursive = access.readonly_recursive ? AT_RECURSIVE : 0;
        if (::mount_setattr(tree_fd, "", AT_EMPTY_PATH | recursive, &readonly, sizeof readonly) != 0)
            return system_error("make tree " + path + " read-only");
    }
    struct stat info {};
    if (::fstat(tree_fd, &info) != 0)
        return system_error("stat tree " + path);
    if (exists(point_path(path)))
        return Error(ErrorKind::already_exists, "shared tree " + path + " is attached already");

    Result<void> attached = make_mount_point(point_path(path), S_ISDIR(info.st_mode));
    if (attached)
        attached = attach(tree_fd, shared_path(path));
    if (!attached)
        remove_mount_point(path);
    return attached;
}

Result<void> make_tree_readonly(const std::string& path, bool recursive) {
    RUNVM_TRY(check_tree_path(path));
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_RDONLY;
    unsigned flags = AT_SYMLINK_NOFOLLOW | (recursive ? AT_RECURSIVE : 0);
    if (::mount_setattr(AT_FDCWD, shared_path(path).c_str(), flags, &attributes, sizeof attributes) != 0)
        return system_error("make tree " + path + " read-only");
    return {};
}

Result<void> detach_tree(const std::string& path) {
    RUNVM_TRY(check_tree_path(path));
    // EINVAL: no mount point, so that it was detached before, or never attached.
    if (::umount2(shared_path(path).c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != ENOENT &&
        errno != EINVAL)
        return system_error("detach tree " + path);
    remove_mount_point(path);
    return {};
}

} // namespace runvm::vm
