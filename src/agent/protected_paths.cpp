#include "agent/protected_paths.h"

#include "agent/mounts.h"
#include "os/file.h"
#include "os/mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>

namespace runvm::agent {

namespace {

bool is_missing(const Error& error) {
    return error.errno_value() == ENOENT || error.errno_value() == ENOTDIR;
}

mount_attr read_only() {
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_RDONLY;
    return attributes;
}

} // namespace

Result<void> set_sysctl(const std::string& key, const std::string& value) {
    std::string path = key;
    std::replace(path.begin(), path.end(), '.', '/');
    Result<os::Fd> file = os::open_file("/proc/sys/" + path, O_WRONLY | O_NOFOLLOW);
    if (!file)
        return std::move(file).error().add_context("sysctl " + key);
    return os::write_all(file->get(), value, "/proc/sys/" + path).context("sysctl " + key);
}

Result<void> make_readonly(const Rootfs& rootfs, const std::string& path) {
    Result<os::Fd> place = rootfs.open(path, O_PATH);
    if (!place)
        return is_missing(place.error()) ? Result<void>() : place.error();
    RUNVM_ASSIGN(os::Fd tree, clone_tree_of(place->get(), path));
    RUNVM_TRY(change_mount(tree.get(), read_only(), false, path));
    return attach_tree(tree.get(), place->get(), path);
}

Result<void> mask(const Rootfs& rootfs, const std::string& path) {
    Result<os::Fd> place = rootfs.open(path, O_PATH);
    if (!place)
        return is_missing(place.error()) ? Result<void>() : place.error();
    struct stat info {};
    if (::fstat(place->get(), &info) != 0)
        return system_error("stat " + path);
    auto make_cover = [&]() -> Result<os::Fd> {
        // The agent's /dev/null, not the container's, which may be anything (CVE-2025-31133).
        if (!S_ISDIR(info.st_mode))
            return os::clone_tree("/dev/null", false);
        // Of the superblock too: a remount of the mount alone does not make it writable.
        return make_filesystem("tmpfs", "tmpfs", MS_RDONLY, "ro,nr_inodes=1");
    };
    RUNVM_ASSIGN(os::Fd cover, make_cover());
    return attach_tree(cover.get(), place->get(), path);
}

} // namespace runvm::agent
