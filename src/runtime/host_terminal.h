#pragma once
// The host's pty of a container with a terminal: its master goes to the caller, its slave to the shim.

#include "core/result.h"
#include "os/fd.h"

#include <cstdint>
#include <string>

namespace runvm::runtime {

struct HostTerminal {
    os::Fd master;
    os::Fd slave;
    std::string name; ///< /dev/pts/N
};

/// runc's two rules (utils_linux.go, setupIO): a terminal that the command does not carry itself needs a
/// console socket, and only such a one may have it. `detach`: the command does not wait for the process.
Result<void> check_console_socket(bool terminal, bool detach, const std::string& console_socket);

/// Height and width in characters; 0 and 0: the kernel's default.
Result<HostTerminal> open_terminal(uint16_t height, uint16_t width);

/// Sends the master to the caller: one message with one descriptor and its name. Does not wait for anybody to
/// accept (conmon and containerd accept later).
Result<void> send_master(const HostTerminal& terminal, const std::string& socket_path);

} // namespace runvm::runtime
