#pragma once
// The pipes between a container's process and its shim: which descriptors of the caller are relayed, and
// their ends.

#include "core/result.h"
#include "os/fd.h"
#include "protocol/sandbox.capnp.h"

#include <cstdint>
#include <vector>

namespace runvm::runtime {

struct ProcessStream {
    int caller_fd = -1; ///< -1: the terminal
    uint32_t process_fd = 0;
    protocol::StreamBinding::Direction direction = protocol::StreamBinding::Direction::TO_PROCESS;
    os::Fd monitor_end;
    os::Fd shim_end;
};

/// Whether make_streams would succeed: to be asked before anything is started.
Result<void> check_streams(bool terminal, int preserve_fds);

/// stdin, stdout and stderr (or one two-way stream with a terminal) and descriptors 3 to 2 + `preserve_fds`
/// of this process. A preserved descriptor that is neither a pipe nor a connected socket is refused by its
/// number.
Result<std::vector<ProcessStream>> make_streams(bool terminal, int preserve_fds);

} // namespace runvm::runtime
