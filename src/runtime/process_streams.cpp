#include "runtime/process_streams.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <string>

namespace runvm::runtime {

namespace {

using Direction = protocol::StreamBinding::Direction;

// As large as the window of a stream (channel/mux.h): the monitor can hand on what it has without waiting.
constexpr int pipe_bytes = 256 * 1024;
constexpr int first_preserved = 3;

Result<ProcessStream> make_stream(int caller_fd, uint32_t process_fd, Direction direction) {
    std::array<int, 2> ends{};
    bool both = direction == Direction::BOTH;
    int made = both ? ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data())
                    : ::pipe2(ends.data(), O_CLOEXEC);
    if (made != 0)
        return system_error("make a pipe for descriptor " + std::to_string(process_fd));
    os::Fd reader(ends[0]);
    os::Fd writer(ends[1]);
    // Best effort: the default of 64 KiB works as well.
    if (!both)
        ::fcntl(writer.get(), F_SETPIPE_SZ, pipe_bytes);
    bool monitor_reads = direction == Direction::TO_PROCESS;
    return ProcessStream{caller_fd, process_fd, direction, std::move(monitor_reads ? reader : writer),
                         std::move(monitor_reads ? writer : reader)};
}

Result<Direction> preserved_direction(int fd) {
    std::string name = "preserved descriptor " + std::to_string(fd);
    struct stat info {};
    // One that was there before us has come through execve; ours never do.
    int flags = ::fcntl(fd, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC) != 0 || ::fstat(fd, &info) != 0)
        return Error(ErrorKind::invalid_argument, name + " is not open");
    if (S_ISFIFO(info.st_mode)) {
        int access = ::fcntl(fd, F_GETFL) & O_ACCMODE;
        if (access == O_RDWR)
            return Error(
                ErrorKind::unsupported,
                name + " is a pipe open for reading and writing: only one way can be relayed into the VM");
        return access == O_RDONLY ? Direction::TO_PROCESS : Direction::FROM_PROCESS;
    }
    if (S_ISSOCK(info.st_mode)) {
        int type = 0;
        int listening = 0;
        socklen_t size = sizeof type;
        ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
        ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size);
        if (type == SOCK_STREAM && listening == 0)
            return Direction::BOTH;
        return Error(ErrorKind::unsupported, name + " is a socket that listens or is no stream: only "
                                                    "connected stream sockets can be relayed into the VM");
    }
    return Error(ErrorKind::unsupported,
                 name + " is neither a pipe nor a socket: nothing else can be relayed into the VM");
}

} // namespace

Result<void> check_streams(bool terminal, int preserve_fds) {
    int own = terminal ? 1 : 3; // a terminal is one stream, both ways
    int most = static_cast<int>(protocol::MAX_STREAMS_PER_PROCESS) - own;
    if (preserve_fds > most)
        return Error(ErrorKind::invalid_argument, "--preserve-fds " + std::to_string(preserve_fds) +
                                                      ": at most " + std::to_string(most) +
                                                      " descriptors can be relayed into the VM");
    for (int fd = first_preserved; fd < first_preserved + preserve_fds; ++fd)
        RUNVM_TRY(preserved_direction(fd));
    return {};
}

Result<std::vector<ProcessStream>> make_streams(bool terminal, int preserve_fds) {
    std::vector<ProcessStream> streams;
    auto add = [&](int caller_fd, uint32_t process_fd, Direction direction) -> Result<void> {
        RUNVM_ASSIGN(ProcessStream stream, make_stream(caller_fd, process_fd, direction));
        streams.push_back(std::move(stream));
        return {};
    };
    if (terminal) {
        RUNVM_TRY(add(-1, 0, Direction::BOTH));
    } else {
        RUNVM_TRY(add(0, 0, Direction::TO_PROCESS));
        RUNVM_TRY(add(1, 1, Direction::FROM_PROCESS));
        RUNVM_TRY(add(2, 2, Direction::FROM_PROCESS));
    }
    for (int fd = first_preserved; fd < first_preserved + preserve_fds; ++fd) {
        RUNVM_ASSIGN(Direction direction, preserved_direction(fd));
        RUNVM_TRY(add(fd, static_cast<uint32_t>(fd), direction));
    }
    return streams;
}

} // namespace runvm::runtime
