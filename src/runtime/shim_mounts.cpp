#include "runtime/shim_mounts.h"

#include "runtime/share_tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

namespace runvm::runtime {

namespace {

struct Mount {
    const oci::ShareSource* source;
    os::Fd tree;
};

// As the guest has it: what is mounted below stays here, and what the host unmounts goes here as well.
Result<void> restrict(int tree, const oci::ShareSource& source) {
    mount_attr propagation{};
    propagation.propagation = source.privacy != 0 ? MS_PRIVATE : MS_SLAVE;
    if (::mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &propagation, sizeof propagation) != 0)
        return system_error("make the mount a slave");
    if (!source.readonly)
        return {};
    mount_attr readonly{};
    readonly.attr_set = MOUNT_ATTR_RDONLY;
    unsigned flags = AT_EMPTY_PATH | (source.readonly_recursive ? AT_RECURSIVE : 0);
    if (::mount_setattr(tree, "", flags, &readonly, sizeof readonly) != 0)
        return system_error("make the mount read-only");
    return {};
}

Result<Mount> clone(const oci::ShareSource& source) {
    RUNVM_ASSIGN(os::Fd tree, clone_share(source));
    RUNVM_TRY(restrict(tree.get(), source));
    return Mount{&source, std::move(tree)};
}

// The rootfs is the image's: its links lead nowhere else.
Result<void> attach(const Mount& mount) {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    os::Fd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    os::Fd place(static_cast<int>(
        ::syscall(SYS_openat2, root.get(), mount.source->destination.c_str(), &how, sizeof how)));
    if (!place && errno == ENOENT)
        return {};
    if (!place)
        return system_error("open the mount point");
    if (::move_mount(mount.tree.get(), "", place.get(), "",
                     MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
        return system_error("attach the mount");
    return {};
}

} // namespace

std::vector<std::string> mount_for_callers(int init, std::span<const oci::ShareSource> shares) {
    std::vector<std::string> failures;
    auto note = [&](const oci::ShareSource& source, const Error& error) {
        failures.push_back(source.destination + ": " + error.to_string());
    };
    std::vector<Mount> mounts; // cloned here: the sources are not in the other namespace
    for (const oci::ShareSource& source : shares) {
        if (source.destination.empty())
            continue;
        if (auto mount = clone(source); mount)
            mounts.push_back(std::move(*mount));
        else
            note(source, mount.error());
    }
    if (mounts.empty())
        return failures;
    // A thread may change its mount namespace once it shares its root and folder with no other.
    std::thread([&] {
        if (::unshare(CLONE_FS) != 0 || ::setns(init, CLONE_NEWNS) != 0) {
            failures.push_back(system_error("enter the shim's mount namespace").to_string());
            return;
        }
        for (const Mount& mount : mounts)
            if (auto attached = attach(mount); !attached)
                note(*mount.source, attached.error());
    }).join();
    return failures;
}

} // namespace runvm::runtime
