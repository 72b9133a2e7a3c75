#pragma once
// Between the agent and a process that it is setting up: a socket pair of messages that execve closes. So the
// agent hears of a failed step with its errno, and of the success of execve by the end of the channel.
//
// A process in a new user namespace waits until the agent has mapped its ids. It sends its terminal if it has
// one, then `ready` or `failed`; a container's own process then waits for the agent's word to go on; `failed`
// may still follow from a startContainer hook.

#include "core/result.h"
#include "os/fd.h"

#include <kj/async-unix.h>

#include <optional>
#include <string>
#include <utility>

namespace runvm::agent {

struct SetupMessage {
    enum class Kind { terminal, ready, failed, closed };
    Kind kind = Kind::closed;
    os::Fd terminal;            ///< of `terminal`: the master
    std::optional<Error> error; ///< of `failed`
};

/// An error as a message of at most 4 KiB, and back; what is too long is cut. Exposed for the tests.
std::string encode_error(const Error& error);
/// Nothing if the message is not well formed.
std::optional<Error> decode_error(const std::string& message);

/// The agent's end.
class SetupChannel {
public:
    SetupChannel(kj::UnixEventPort& event_port, os::Fd socket);

    /// The next message; `closed` once the process has executed or ended.
    kj::Promise<SetupMessage> next();

    /// Tells a process that waits for it that its ids are mapped.
    Result<void> tell_mapped();

    /// Lets a container's own process go on to its execve.
    Result<void> start();

private:
    std::optional<SetupMessage> receive();
    Result<void> send(char tag);

    os::Fd socket_;
    kj::UnixEventPort::FdObserver observer_;
};

/// The end of the process that is set up. After its seccomp filter is loaded it uses only read and write,
/// which every usable profile allows.
class SetupReporter {
public:
    explicit SetupReporter(int socket) : socket_(socket) {}

    Result<void> send_terminal(int master);
    Result<void> send_ready();
    void send_failed(const Error& error);
    /// False if the agent has given the process up.
    bool wait_until_mapped();
    bool wait_for_start();

    int fd() const { return socket_; }

private:
    bool wait_for(char tag);

    int socket_;
};

/// {the agent's end, non-blocking; the process's end}
Result<std::pair<os::Fd, os::Fd>> make_setup_sockets();

} // namespace runvm::agent
