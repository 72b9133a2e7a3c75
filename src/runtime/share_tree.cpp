#include "runtime/share_tree.h"

#include "os/mounts.h"
#include "os/user_namespace.h"

#include <fcntl.h>
#include <sys/mount.h>

namespace runvm::runtime {

namespace {

// mount_setattr(2): EINVAL, a file system that is not able to; EPERM, one that a user namespace mounted, or a
// mount that is id-mapped already.
Error id_map_error(const oci::ShareSource& source, int errno_value) {
    std::string place =
        "mount of " + source.path + (source.id_mapped_recursive ? " and what is below it" : "");
    switch (errno_value) {
    case EINVAL:
        return {ErrorKind::unsupported,
                place + ": the file system there does not support idmapped mounts on the host's kernel",
                errno_value};
    case EPERM:
        return {
            ErrorKind::unsupported,
            place +
                ": it cannot be idmapped: it is that already, or its file system belongs to a user namespace",
            errno_value};
    case ENOSYS:
        return {ErrorKind::unsupported, place + ": idmapped mounts need Linux 5.12 or later on the host",
                errno_value};
    default:
        return system_error(place + ": map its ids", errno_value);
    }
}

Result<void> map_ids(int tree, const oci::ShareSource& source) {
    RUNVM_ASSIGN(os::Fd user_namespace, os::make_user_namespace(source.id_mappings));
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<uint64_t>(user_namespace.get());
    unsigned flags = AT_EMPTY_PATH | (source.id_mapped_recursive ? AT_RECURSIVE : 0);
    if (::mount_setattr(tree, "", flags, &attributes, sizeof attributes) != 0)
        return id_map_error(source, errno);
    return {};
}

// What is private here stays so when the monitor makes the others slaves of the host's.
Result<void> make_private(int tree, const oci::ShareSource& source) {
    mount_attr attributes{};
    attributes.propagation = MS_PRIVATE;
    unsigned flags = AT_EMPTY_PATH | ((source.privacy & MS_REC) != 0 ? AT_RECURSIVE : 0);
    if (::mount_setattr(tree, "", flags, &attributes, sizeof attributes) != 0)
        return system_error("make the mount of " + source.path + " private");
    return {};
}

} // namespace

Result<os::Fd> clone_share(const oci::ShareSource& source) {
    RUNVM_ASSIGN(os::Fd tree, os::clone_tree(source.path, source.recursive));
    if (source.privacy != 0)
        RUNVM_TRY(make_private(tree.get(), source));
    if (!source.id_mappings.empty())
        RUNVM_TRY(map_ids(tree.get(), source));
    return tree;
}

Result<void> check_id_mapped_shares(std::span<const oci::ShareSource> sources) {
    for (const oci::ShareSource& source : sources)
        if (!source.id_mappings.empty())
            RUNVM_TRY(clone_share(source));
    return {};
}

} // namespace runvm::runtime
