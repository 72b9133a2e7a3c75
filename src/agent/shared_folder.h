#pragma once
// The virtiofs filesystem with the trees of the host: /run/runvm/shared/<container>/<share>.

#include "core/result.h"

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
