#pragma once
// The virtiofs filesystem with the trees of the host: /run/runvm/shared/<container>/<share>.

#include "core/result.h"
#include "protocol/common.capnp.h"

#include <kj/async.h>
#include <kj/timer.h>

#include <string>

namespace runvm::agent {

class SharedFolder {
public:
    static constexpr const char* path = "/run/runvm/shared";
    static constexpr const char* tag = "runvm";

    explicit SharedFolder(kj::Timer& timer) : timer_(timer) {}

    /// Mounts it unless it is mounted. The device may have been plugged in just now, so a missing one is
    /// waited for. It is mounted once and stays: with submounts alive, mounting the tag again could give one
    /// of those instead (Linux 6.1, virtio_fs_test_super does not tell them apart).
    kj::Promise<Result<void>> mount();

    /// Mounts a container's shares in the agent's own mount namespace too, until `release`.
    ///
    /// The host announces each share as a submount, a filesystem of its own. Such a filesystem must not go
    /// while a request of it is on its way: an asynchronous RELEASE keeps an inode, and the kernel stops the
    /// process that unmounts "busy inodes" for good (generic_shutdown_super, a BUG in Linux 6.1; the parent
    /// filesystem waits for its requests, a submount does not). So the last mount of a share never goes with
    /// a process of the container, but here, once the host has answered everything.
    static Result<void> hold(const std::string& container_id, protocol::Container::Reader container);
    /// Blocks until the host answers, so it is for a process of its own.
    static void release(const std::string& container_id);

    /// Drops the directory entries that nobody uses, so that virtiofsd closes what it held open for them.
    void drop_unused_entries();

    /// The folder of a container's shares.
    static std::string of_container(const std::string& id) { return std::string(path) + "/" + id; }

private:
    kj::Promise<Result<void>> mount_until(kj::TimePoint deadline);

    kj::Timer& timer_;
    bool mounted_ = false;
};

} // namespace runvm::agent
