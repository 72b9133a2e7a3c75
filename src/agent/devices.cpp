#include "agent/devices.h"

#include "agent/mounts.h"
#include "os/file.h"
#include "os/mounts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <string>

namespace runvm::agent {

namespace {

struct DeviceNode {
    std::string path;
    mode_t mode; ///< with its type
    dev_t number;
    uid_t uid = 0;
    gid_t gid = 0;
};

struct Link {
    const char* path;
    const char* target;
};

/// config-linux.md, "Default Devices"; /dev/console comes with the terminal.
const std::array<DeviceNode, 6>& default_devices() {
    static const std::array<DeviceNode, 6> devices = {{
        {"/dev/null", S_IFCHR | 0666, makedev(1, 3)},
        {"/dev/zero", S_IFCHR | 0666, makedev(1, 5)},
        {"/dev/full", S_IFCHR | 0666, makedev(1, 7)},
        {"/dev/random", S_IFCHR | 0666, makedev(1, 8)},
        {"/dev/urandom", S_IFCHR | 0666, makedev(1, 9)},
        {"/dev/tty", S_IFCHR | 0666, makedev(5, 0)},
    }};
    return devices;
}

/// The links of runc's setupDevSymlinks.
constexpr std::array<Link, 5> default_links = {{
    {"/dev/fd", "/proc/self/fd"},
    {"/dev/stdin", "/proc/self/fd/0"},
    {"/dev/stdout", "/proc/self/fd/1"},
    {"/dev/stderr", "/proc/self/fd/2"},
    {"/dev/core", "/proc/kcore"},
}};

Result<void> make_node(const Rootfs& rootfs, const DeviceNode& device) {
    RUNVM_ASSIGN(Rootfs::Place place, rootfs.make_parent(device.path));
    if (::mknodat(place.folder.get(), place.name.c_str(), device.mode, device.number) != 0) {
        if (errno == EEXIST)
            return {};
        return system_error("mknod " + device.path);
    }
    if (device.uid == 0 && device.gid == 0)
        return {};
    if (::fchownat(place.folder.get(), place.name.c_str(), device.uid, device.gid, AT_SYMLINK_NOFOLLOW) != 0)
        return system_error("chown " + device.path);
    return {};
}

/// What the rootfs has there stays, as with runc.
Result<void> make_link(const Rootfs& rootfs, const Link& link) {
    RUNVM_ASSIGN(Rootfs::Place place, rootfs.make_parent(link.path, Rootfs::LastLink::named));
    if (::symlinkat(link.target, place.folder.get(), place.name.c_str()) != 0 && errno != EEXIST)
        return system_error(std::string("make the link ") + link.path);
    return {};
}

/// The rootfs may hold a device of its own there, which would be the guest's: runc replaces it too.
Result<void> make_ptmx(const Rootfs& rootfs) {
    RUNVM_ASSIGN(Rootfs::Place place, rootfs.make_parent("/dev/ptmx", Rootfs::LastLink::named));
    if (::unlinkat(place.folder.get(), place.name.c_str(), 0) != 0 && errno != ENOENT)
        return system_error("remove /dev/ptmx");
    if (::symlinkat("pts/ptmx", place.folder.get(), place.name.c_str()) != 0)
        return system_error("make the link /dev/ptmx");
    return {};
}

Result<DeviceNode> node_of(protocol::Device::Reader device) {
    mode_t type = 0;
    switch (device.getType()) {
    case 'c':
    case 'u':
        type = S_IFCHR;
        break;
    case 'b':
        type = S_IFBLK;
        break;
    case 'p':
        type = S_IFIFO;
        break;
    default:
        return Error(ErrorKind::invalid_argument,
                     std::string("device ") + device.getPath().cStr() + " has an unknown type");
    }
    dev_t number = type == S_IFIFO ? 0
                                   : makedev(static_cast<unsigned>(device.getMajor()),
                                             static_cast<unsigned>(device.getMinor()));
    return DeviceNode{device.getPath().cStr(), type | (device.getMode() & 07777), number, device.getUid(),
                      device.getGid()};
}

Result<void> bind_device(const Rootfs& rootfs, const std::string& path, int tree) {
    RUNVM_ASSIGN(os::Fd target, rootfs.make_mount_point(path, Rootfs::Kind::file));
    return attach_tree(tree, target.get(), path);
}

Result<void> make_links(const Rootfs& rootfs) {
    RUNVM_TRY(make_ptmx(rootfs));
    for (const Link& link : default_links)
        RUNVM_TRY(make_link(rootfs, link));
    return {};
}

/// Its folder is the agent's own.
Result<os::Fd> make_device_tree(const std::string& path, const DeviceNode& device,
                                const os::IdMappings& id_mappings) {
    uid_t uid = os::to_host_id(id_mappings.uids, device.uid).value_or(0);
    gid_t gid = os::to_host_id(id_mappings.gids, device.gid).value_or(0);
    if (::mknod(path.c_str(), device.mode, device.number) != 0)
        return system_error("mknod for " + device.path);
    // The umask does not count for a container's devices.
    if (::chown(path.c_str(), uid, gid) != 0 || ::chmod(path.c_str(), device.mode & 07777) != 0)
        return system_error("set owner and mode of " + device.path);
    return os::clone_tree(path, false);
}

} // namespace

Result<std::vector<os::Fd>> make_device_trees(const std::string& folder,
                                              capnp::List<protocol::Device>::Reader devices,
                                              const os::IdMappings& id_mappings) {
    std::vector<os::Fd> trees;
    if (devices.size() > 0)
        RUNVM_TRY(os::make_folders(folder, 0700));
    for (auto device : devices) {
        RUNVM_ASSIGN(DeviceNode node, node_of(device));
        RUNVM_ASSIGN(os::Fd tree,
                     make_device_tree(folder + "/" + std::to_string(trees.size()), node, id_mappings));
        trees.push_back(std::move(tree));
    }
    return trees;
}

Result<void> bind_devices(const Rootfs& rootfs, capnp::List<protocol::Device>::Reader devices,
                          const std::vector<os::Fd>& trees) {
    std::vector<std::string> bound = {
        "/dev/ptmx"}; // a link, see below: runc leaves out a device of that name
    auto is_bound = [&](const std::string& path) {
        return std::find(bound.begin(), bound.end(), path) != bound.end();
    };
    for (unsigned i = 0; i < devices.size() && i < trees.size(); ++i) {
        std::string path = devices[i].getPath().cStr();
        if (is_bound(path))
            continue;
        RUNVM_TRY(bind_device(rootfs, path, trees[i].get()));
        bound.push_back(path);
    }
    for (const DeviceNode& device : default_devices()) {
        if (is_bound(device.path))
            continue;
        RUNVM_ASSIGN(os::Fd tree, os::clone_tree(device.path, false));
        RUNVM_TRY(bind_device(rootfs, device.path, tree.get()));
    }
    return make_links(rootfs);
}

Result<void> make_devices(const Rootfs& rootfs, capnp::List<protocol::Device>::Reader devices) {
    // config.json's own come first, so that a default device with another owner or mode is theirs.
    for (auto device : devices) {
        RUNVM_ASSIGN(DeviceNode node, node_of(device));
        RUNVM_TRY(make_node(rootfs, node));
    }
    for (const DeviceNode& device : default_devices())
        RUNVM_TRY(make_node(rootfs, device));
    return make_links(rootfs);
}

bool needs_devices(capnp::List<protocol::Mount>::Reader mounts) {
    for (auto mount : mounts) {
        if (!mount.hasShare() || mount.getShare().size() == 0)
            continue;
        if (mount.getDestination() == "/dev" || mount.getDestination() == "/dev/")
            return false;
    }
    return true;
}

} // namespace runvm::agent
