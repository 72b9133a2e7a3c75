#pragma once
// From the MS_* flags of mount(2), in which config.json's options are sent, to the MOUNT_ATTR_* of
// mount_setattr(2).

#include <sys/mount.h>

#include <cstdint>
#include <string>
#include <vector>

namespace runvm::agent {

/// What mount_setattr(2) is asked to change on a mount: `set` and `cleared` are MS_*, other flags are
/// ignored. The three access time modes exclude each other, so naming one clears the others, and clearing one
/// (`atime`, `norelatime`) goes back to the kernel's default, relatime.
mount_attr mount_attributes(uint64_t set, uint64_t cleared);

/// The names of those flags that belong to the filesystem and not to the mount ("sync", "lazytime", ...), for
/// fsconfig(2). MS_RDONLY is not among them: it is set on the mount only, because the filesystem may be
/// shared (cgroup2, proc).
std::vector<std::string> filesystem_flags(uint64_t set);

struct FilesystemOption {
    std::string key;
    std::string value;
    bool has_value = false;
};

/// "mode=755,size=64k,newinstance" taken apart.
std::vector<FilesystemOption> parse_filesystem_options(const std::string& data);

} // namespace runvm::agent
