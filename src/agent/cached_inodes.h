#pragma once
// Keeps the guest's kernel from remembering more of the host's files than virtiofsd can hold open: that has a
// descriptor for each inode that the guest knows, and a hard limit of descriptors, while the guest forgets
// only when it is short of memory.

#include "agent/function_probe.h"

#include <kj/async-unix.h>

#include <cstdint>

namespace runvm::agent {

class CachedInodes final : private kj::TaskSet::ErrorHandler {
public:
    /// `most`: how many inodes virtiofsd can hold; 0: no matter.
    CachedInodes(kj::UnixEventPort& event_port, uint64_t most);

    /// A container has been started: in a moment as many inodes are forgotten as is needed. Not at once,
    /// because it costs tens of milliseconds under emulation, which a container that ends soon need not wait
    /// for.
    void limit_soon();
    /// The guest has got more cpus.
    void cover_cpus();

private:
    void limit();
    void some_were_made();
    void taskFailed(kj::Exception&& exception) override;

    kj::Timer& timer_;
    const uint64_t most_;
    bool asked_ = false;
    bool limits_ = false;
    uint64_t period_ = 0;
    uint64_t made_ = 0; ///< since the last drop
    FunctionProbe probe_;
    kj::TaskSet tasks_;
};

} // namespace runvm::agent
