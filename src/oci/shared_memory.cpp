#include "oci/shared_memory.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <filesystem>
#include <system_error>

namespace runvm::oci {

std::optional<SharedMemory> shared_memory_at(const std::string& source) {
    struct statfs filesystem {};
    struct statx info {};
    if (source == "/dev/shm" || ::statfs(source.c_str(), &filesystem) != 0 ||
        filesystem.f_type != TMPFS_MAGIC ||
        ::statx(AT_FDCWD, source.c_str(), 0, STATX_BASIC_STATS, &info) != 0)
        return std::nullopt;
    std::error_code error;
    bool is_empty = std::filesystem::is_empty(source, error);
    if ((info.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0 || !S_ISDIR(info.stx_mode) || error || !is_empty)
        return std::nullopt;
    constexpr unsigned kib = 1024;
    constexpr unsigned permissions = 07777;
    char mode[8];
    std::snprintf(mode, sizeof mode, "%o", info.stx_mode & permissions);
    SharedMemory memory;
    memory.key = std::to_string(info.stx_dev_major) + ":" + std::to_string(info.stx_dev_minor);
    memory.options = std::string("mode=") + mode + ",uid=" + std::to_string(info.stx_uid) +
                     ",gid=" + std::to_string(info.stx_gid);
    // One without a limit has no blocks: the guest's has the kernel's own then, half of its memory.
    if (filesystem.f_blocks > 0)
        memory.options +=
            ",size=" + std::to_string(filesystem.f_blocks * static_cast<uint64_t>(filesystem.f_bsize) / kib) +
            "k";
    return memory;
}

} // namespace runvm::oci
