#include "agent/mount_trees.h"

#include "agent/devices.h"
#include "agent/mounts.h"
#include "os/file.h"
#include "os/mounts.h"

#include <sched.h>
#include <sys/mount.h>

namespace runvm::agent {

namespace {

Result<os::Fd> clone_share(const MountSources& sources, const std::string& share) {
    if (!valid_share_name(share))
        return Error(ErrorKind::invalid_argument, "bad share name `" + share + "`");
    return os::clone_tree(sources.shares + "/" + share, false);
}

Result<os::Fd> make_mount_tree(protocol::Mount::Reader mount, const MountSources& sources,
                               MountTrees& trees) {
    std::string type = mount.getType().cStr();
    if (mount.hasShare() && mount.getShare().size() > 0)
        return clone_share(sources, mount.getShare().cStr());
    if (mount.getMemory().size() > 0) {
        RUNVM_ASSIGN(auto held, sources.memory.hold(mount.getMemory().cStr(), mount.getData().cStr()));
        trees.memory.push_back(held);
        return held->clone();
    }
    if ((mount.getFlags() & MS_REMOUNT) != 0)
        return os::Fd();
    // A container never sees more than its own cgroup: with a cgroup namespace a new mount shows just that,
    // without one it is bound, as runc does on cgroup v1.
    if ((type == "cgroup" || type == "cgroup2") && (sources.namespaces & CLONE_NEWCGROUP) == 0)
        return os::clone_tree(sources.cgroup, false);
    // sysfs can be mounted by who has rights over the network namespace, which is the guest's
    // (kobj_ns_current_may_mount).
    if (type == "sysfs" && (sources.namespaces & CLONE_NEWUSER) != 0)
        return make_filesystem(mount);
    return os::Fd();
}

} // namespace

std::vector<os::Fd*> MountTrees::all() {
    std::vector<os::Fd*> trees = {&root};
    for (auto* list : {&mounts, &devices})
        for (os::Fd& tree : *list)
            if (tree)
                trees.push_back(&tree);
    return trees;
}

Result<MountTrees> make_mount_trees(protocol::Container::Reader container, const MountSources& sources,
                                    const os::IdMappings& id_mappings) {
    MountTrees trees;
    RUNVM_ASSIGN(
        trees.root,
        clone_share(sources, container.getRootfsShare().cStr()).context("mount the root filesystem"));
    for (auto mount : container.getMounts()) {
        RUNVM_ASSIGN(os::Fd tree, make_mount_tree(mount, sources, trees)
                                      .context(std::string("mount ") + mount.getType().cStr() + " on " +
                                               mount.getDestination().cStr()));
        trees.mounts.push_back(std::move(tree));
    }
    if ((sources.namespaces & CLONE_NEWUSER) != 0 && needs_devices(container.getMounts())) {
        RUNVM_ASSIGN(
            trees.devices,
            make_device_trees(sources.devices, container.getDevices(), id_mappings).context("make devices"));
    }
    return trees;
}

} // namespace runvm::agent
