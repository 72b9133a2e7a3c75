#include "agent/mounts.h"

#include "agent/copy_up.h"
#include "agent/mount_attributes.h"
#include "agent/syscalls.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

namespace runvm::agent {

namespace {

constexpr uint64_t propagation_flags = MS_SHARED | MS_SLAVE | MS_PRIVATE | MS_UNBINDABLE;

/// What the filesystem's own parser complained about, if it said anything (fsopen(2): read the context).
std::string filesystem_complaint(int context) {
    std::array<char, 512> line;
    ssize_t length = ::read(context, line.data(), line.size());
    // "e tmpfs: Bad value for 'size'"; the first letter is the severity.
    if (length <= 2 || line[0] != 'e')
        return "";
    std::string text(line.data() + 2, static_cast<size_t>(length - 2));
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    return " (" + text + ")";
}

Error filesystem_error(int context, const std::string& what, int errno_value) {
    return system_error(what + filesystem_complaint(context), errno_value);
}

/// proc and sysfs must not be mounted through a symlink or on a file: runc refuses that too (CVE-2019-16884).
Result<void> require_plain_folder(const Rootfs& rootfs, const std::string& path) {
    Result<os::Fd> place = rootfs.open(path, O_PATH | O_NOFOLLOW);
    if (!place)
        return place.error().errno_value() == ENOENT ? Result<void>() : place.error();
    struct stat info {};
    if (::fstat(place->get(), &info) != 0)
        return system_error("stat " + path);
    if (!S_ISDIR(info.st_mode))
        return system_error("mount point " + path, ENOTDIR);
    return {};
}

bool has_option(const std::string& data, const std::string& key) {
    std::vector<FilesystemOption> options = parse_filesystem_options(data);
    return std::any_of(options.begin(), options.end(), [&](const auto& option) { return option.key == key; });
}

/// A tmpfs has the mode of the folder that it covers, unless an option says another: runc, rootfs_linux.go
/// (mountToRootfs).
Result<void> take_mode_of(const Rootfs& rootfs, const std::string& path, int tree) {
    Result<os::Fd> folder = rootfs.open(path, O_PATH | O_DIRECTORY);
    if (!folder)
        return folder.error().errno_value() == ENOENT ? Result<void>() : folder.error();
    struct stat info {};
    if (::fstat(folder->get(), &info) != 0 || ::fchmodat(tree, ".", info.st_mode & 07777U, 0) != 0)
        return system_error("give a tmpfs the mode of " + path);
    return {};
}

} // namespace

bool valid_share_name(const std::string& name) {
    return !name.empty() && name.size() <= 32 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    });
}

Result<os::Fd> clone_tree_of(int fd, const std::string& name) {
    os::Fd tree(::open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE));
    if (!tree)
        return system_error("open_tree " + name);
    return tree;
}

Result<os::Fd> make_filesystem(const std::string& type, const std::string& source, uint64_t flags,
                               const std::string& data) {
    os::Fd context(::fsopen(type.c_str(), FSOPEN_CLOEXEC));
    if (!context) {
        if (errno == ENODEV)
            return Error(ErrorKind::unsupported, "the guest's kernel has no filesystem `" + type + "`",
                         ENODEV);
        return system_error("fsopen " + type);
    }
    if (!source.empty() && ::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", source.c_str(), 0) != 0)
        return filesystem_error(context.get(), "source " + source + " of " + type, errno);
    for (const std::string& name : filesystem_flags(flags))
        if (::fsconfig(context.get(), FSCONFIG_SET_FLAG, name.c_str(), nullptr, 0) != 0)
            return filesystem_error(context.get(), "option " + name + " of " + type, errno);
    for (const FilesystemOption& option : parse_filesystem_options(data)) {
        int result =
            option.has_value
                ? ::fsconfig(context.get(), FSCONFIG_SET_STRING, option.key.c_str(), option.value.c_str(), 0)
                : ::fsconfig(context.get(), FSCONFIG_SET_FLAG, option.key.c_str(), nullptr, 0);
        if (result != 0)
            return filesystem_error(context.get(), "option " + option.key + " of " + type, errno);
    }
    if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
        return filesystem_error(context.get(), "create a " + type, errno);
    mount_attr attributes = mount_attributes(flags, 0);
    os::Fd tree(::fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes.attr_set)));
    if (!tree)
        return filesystem_error(context.get(), "fsmount " + type, errno);
    return tree;
}

Result<os::Fd> make_filesystem(protocol::Mount::Reader mount) {
    uint64_t flags = mount.getFlags() & ~mount.getClearedFlags() & ~uint64_t{MS_RDONLY};
    return make_filesystem(mount.getType().cStr(), mount.getSource().cStr(), flags, mount.getData().cStr());
}

Result<void> attach_tree(int tree, int target, const std::string& name) {
    if (::move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
        return system_error("mount on " + name);
    return {};
}

Result<void> change_mount(int fd, mount_attr attributes, bool recursive, const std::string& name) {
    if (attributes.attr_set == 0 && attributes.attr_clr == 0 && attributes.propagation == 0)
        return {};
    unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
    if (::mount_setattr(fd, "", flags, &attributes, sizeof attributes) != 0)
        return system_error("change the mount " + name);
    return {};
}

Result<void> change_propagation(int fd, uint64_t flags, const std::string& name) {
    mount_attr attributes{};
    attributes.propagation = flags & propagation_flags;
    return change_mount(fd, attributes, (flags & MS_REC) != 0, name);
}

Result<void> Mounts::add(protocol::Mount::Reader mount, os::Fd prepared) {
    std::string destination = mount.getDestination().cStr();
    std::string type = mount.getType().cStr();
    auto mounted = [&]() -> Result<void> {
        if (mount.getShare().size() > 0 || mount.getMemory().size() > 0)
            return add_share(mount, prepared.get());
        if ((mount.getFlags() & MS_REMOUNT) != 0)
            return change_existing(mount);
        if (type == "cgroup" || type == "cgroup2")
            return add_cgroup(mount, std::move(prepared));
        return add_filesystem(mount, std::move(prepared));
    };
    return mounted().context("mount " + type + " on " + destination);
}

/// Puts `tree` on its destination, with what is to be set recursively, and its propagation.
Result<void> Mounts::attach(int tree, protocol::Mount::Reader mount) {
    std::string destination = mount.getDestination().cStr();
    Rootfs::Kind kind = mount.getIsFile() ? Rootfs::Kind::file : Rootfs::Kind::folder;
    RUNVM_ASSIGN(os::Fd target, rootfs_.make_mount_point(destination, kind));
    RUNVM_TRY(attach_tree(tree, target.get(), destination));

    mount_attr recursive{};
    recursive.attr_set = mount.getRecursiveSet();
    recursive.attr_clr = mount.getRecursiveCleared();
    RUNVM_TRY(change_mount(tree, recursive, true, destination));
    return change_propagation(tree, mount.getPropagation(), destination);
}

Result<void> Mounts::add_share(protocol::Mount::Reader mount, int tree) {
    mount_attr attributes = mount_attributes(mount.getFlags(), mount.getClearedFlags());
    // "rbind,ro" leaves the submounts of the source writable. In the guest they are automounts, made when
    // they are first looked at with the flags of the mount they are on, so that one has to look at them
    // first.
    if (mount.hasSubmounts()) {
        for (auto submount : mount.getSubmounts()) {
            std::string path = submount.cStr();
            RUNVM_TRY(open_in_root(tree, path, O_PATH | O_DIRECTORY).context("submount " + path));
        }
    }
    RUNVM_TRY(change_mount(tree, attributes, false, mount.getDestination().cStr()));
    return attach(tree, mount);
}

Result<void> Mounts::add_filesystem(protocol::Mount::Reader mount, os::Fd prepared) {
    std::string destination = mount.getDestination().cStr();
    std::string type = mount.getType().cStr();
    if (type == "proc" || type == "sysfs")
        RUNVM_TRY(require_plain_folder(rootfs_, destination));

    os::Fd tree = std::move(prepared);
    if (!tree) {
        RUNVM_ASSIGN(tree, make_filesystem(mount));
    }
    if (type == "tmpfs" && !has_option(mount.getData().cStr(), "mode"))
        RUNVM_TRY(take_mode_of(rootfs_, destination, tree.get()));
    if (mount.getCopyUp()) {
        RUNVM_ASSIGN(os::Fd source, rootfs_.make_mount_point(destination, Rootfs::Kind::folder));
        RUNVM_TRY(copy_up(source.get(), tree.get()).context("copy up " + destination));
    }
    RUNVM_TRY(attach(tree.get(), mount));
    if ((mount.getFlags() & ~mount.getClearedFlags() & MS_RDONLY) != 0)
        read_only_later_.push_back(std::move(tree));
    return {};
}

Result<void> Mounts::add_cgroup(protocol::Mount::Reader mount, os::Fd prepared) {
    uint64_t flags = mount.getFlags() & ~mount.getClearedFlags();
    if (!prepared) {
        RUNVM_ASSIGN(prepared, make_filesystem("cgroup2", "cgroup", flags, ""));
    } else {
        RUNVM_TRY(change_mount(prepared.get(), mount_attributes(flags, 0), false, "of the cgroup"));
    }
    return attach(prepared.get(), mount);
}

/// The option `remount`: the mount that is there gets other flags.
Result<void> Mounts::change_existing(protocol::Mount::Reader mount) {
    std::string destination = mount.getDestination().cStr();
    RUNVM_ASSIGN(os::Fd place, rootfs_.open(destination, O_PATH));
    RUNVM_TRY(change_mount(place.get(), mount_attributes(mount.getFlags(), mount.getClearedFlags()), false,
                           destination));
    return change_propagation(place.get(), mount.getPropagation(), destination);
}

Result<void> Mounts::finish() {
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_RDONLY;
    for (const os::Fd& tree : read_only_later_)
        RUNVM_TRY(change_mount(tree.get(), attributes, false, "read-only"));
    read_only_later_.clear();
    return {};
}

} // namespace runvm::agent
