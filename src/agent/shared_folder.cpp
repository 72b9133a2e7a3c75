#include "agent/shared_folder.h"

#include "agent/mounts.h"
#include "os/file.h"

#include <fcntl.h>
#include <sys/mount.h>

namespace runvm::agent {

namespace {

constexpr auto device_wait = 5 * kj::SECONDS;
constexpr auto retry_interval = 10 * kj::MILLISECONDS;

Result<void> mount_once() {
    RUNVM_ASSIGN(os::Fd tree, make_filesystem("virtiofs", SharedFolder::tag, 0, ""));
    RUNVM_ASSIGN(os::Fd place, os::open_file(SharedFolder::path, O_PATH | O_DIRECTORY));
    return attach_tree(tree.get(), place.get(), SharedFolder::path);
}

} // namespace

kj::Promise<Result<void>> SharedFolder::mount() {
    return mount_until(timer_.now() + device_wait);
}

kj::Promise<Result<void>> SharedFolder::mount_until(kj::TimePoint deadline) {
    if (mounted_)
        return Result<void>();
    Result<void> result = mount_once();
    mounted_ = result.ok();
    // EINVAL: no device with this tag (yet)
    if (mounted_ || result.error().errno_value() != EINVAL || timer_.now() >= deadline)
        return std::move(result).context("mount the shared filesystem");
    return timer_.afterDelay(retry_interval).then([this, deadline] { return mount_until(deadline); });
}

void SharedFolder::drop_unused_entries() {
    // A remount that changes nothing shrinks the filesystem's dentry cache (the kernel's reconfigure_super):
    // that is the few entries above the shares, because the shares themselves are filesystems of their own.
    if (mounted_)
        (void)::mount(nullptr, path, nullptr, MS_REMOUNT, nullptr);
}

} // namespace runvm::agent
