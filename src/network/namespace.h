#pragma once
// A network namespace that is not the caller's.

#include "core/result.h"
#include "os/fd.h"

#include <sys/types.h>

#include <functional>
#include <string>

namespace runvm::network {

/// Which namespace it is: two descriptors are of one namespace if these are the same.
struct NamespaceId {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const NamespaceId&) const = default;
};

/// Of a file such as /proc/PID/ns/net.
Result<NamespaceId> namespace_id(const std::string& path);

/// Held as long as this lives.
class Namespace {
public:
    explicit Namespace(os::Fd fd) : fd_(std::move(fd)) {}

    /// Runs `task` on a thread of its own that is in the namespace, and waits for it. A socket that it opens
    /// stays there, whoever uses it afterwards.
    Result<void> run(const std::function<Result<void>()>& task) const;
    int fd() const { return fd_.get(); }

private:
    os::Fd fd_;
};

} // namespace runvm::network
