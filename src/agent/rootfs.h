#pragma once
// Paths inside a container's root filesystem. Its contents are hostile: a symlink or ".." in it must not lead
// out, and another container may share it and change it meanwhile. So nothing is reached by a path of the
// agent's own: every path is resolved as if the root filesystem were "/", and worked on by descriptor.

#include "core/result.h"
#include "os/fd.h"

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace runvm::agent {

class Rootfs {
public:
    enum class Kind { folder, file };

    /// What a path means whose last name is a symlink.
    enum class LastLink { followed, named };

    /// A name in a folder that is inside the root filesystem. The name is no symlink (unless that is wanted),
    /// "." or "..", when looked at.
    struct Place {
        os::Fd folder; ///< O_PATH
        std::string name;
    };

    explicit Rootfs(os::Fd root) : root_(std::move(root)) {}

    int fd() const { return root_.get(); }

    /// Opens what is there, following symlinks inside the root filesystem.
    Result<os::Fd> open(const std::string& path, uint64_t flags) const;

    /// An O_PATH descriptor of a mount point, made with its missing folders (0755) if it does not exist.
    /// ENOTDIR or EISDIR if there is something of the other kind.
    Result<os::Fd> make_mount_point(const std::string& path, Kind kind) const;

    /// Makes all missing folders on the way to the last name of the path. A symlink there is followed, unless
    /// it is the last name itself that is wanted.
    Result<Place> make_parent(const std::string& path, LastLink last = LastLink::followed) const;

private:
    os::Fd root_;
};

} // namespace runvm::agent
