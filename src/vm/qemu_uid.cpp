#include "vm/qemu_uid.h"

#include "core/hash.h"
#include "os/file.h"

#include <fcntl.h>

#include <cstdint>

namespace runvm::vm {
Result<QemuUid> lease_qemu_uid(const std::string& path, const std::string& sandbox_id) {
    RUNVM_ASSIGN(os::Fd file, os::open_file(path, O_RDWR | O_CREAT, 0600));
    uint64_t first = stable_hash(sandbox_id) % qemu_uid_count;
    for (uint32_t i = 0; i < qemu_uid_count; ++i) {
        auto number = static_cast<uint32_t>((first + i) % qemu_uid_count);
        // Byte n stands for uid base + n. A lock of the open file, not of the process: it survives into the
        // monitor.
        struct flock byte {};
        byte.l_type = F_WRLCK;
        byte.l_whence = SEEK_SET;
        byte.l_start = number;
        byte.l_len = 1;
        if (::fcntl(file.get(), F_OFD_SETLK, &byte) == 0)
            return QemuUid{qemu_uid_base + number, std::move(file)};
        if (errno != EAGAIN && errno != EACCES)
            return system_error("lock a byte of " + path);
    }
    return Error(ErrorKind::unavailable,
                 "all " + std::to_string(qemu_uid_count) + " uids for QEMU are taken, see " + path);
}

} // namespace runvm::vm
