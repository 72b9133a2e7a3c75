#include "agent/stdio.h"

#include "agent/syscalls.h"
#include "os/file.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>

namespace runvm::agent {

namespace {

using Direction = protocol::StreamBinding::Direction;

constexpr uint32_t max_descriptor = 1023;
/// Output that fits in the pipe lets the process go on while the relay is busy elsewhere.
constexpr int output_pipe_bytes = 256 * 1024;

Result<std::pair<os::Fd, os::Fd>> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return system_error("make a pipe");
    return std::pair(os::Fd(ends[0]), os::Fd(ends[1]));
}

Result<os::Fd> duplicate(int fd) {
    os::Fd copy = os::duplicate(fd);
    if (!copy)
        return system_error("duplicate a descriptor");
    return copy;
}

Result<void> add_to_process(Stdio& stdio, int number, channel::StreamId stream) {
    RUNVM_ASSIGN(auto pipe, make_pipe());
    stdio.process_ends.push_back({number, std::move(pipe.first)});
    stdio.relay_ends.push_back({stream, os::Fd(), std::move(pipe.second)});
    return {};
}

Result<void> add_from_process(Stdio& stdio, int number, channel::StreamId stream) {
    RUNVM_ASSIGN(auto pipe, make_pipe());
    // Only a wish: the default size works too.
    ::fcntl(pipe.second.get(), F_SETPIPE_SZ, output_pipe_bytes);
    stdio.process_ends.push_back({number, std::move(pipe.second)});
    stdio.relay_ends.push_back({stream, std::move(pipe.first), os::Fd()});
    return {};
}

Result<void> add_socket(Stdio& stdio, int number, channel::StreamId stream) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return system_error("make a socket pair");
    os::Fd ours(ends[0]);
    stdio.process_ends.push_back({number, os::Fd(ends[1])});
    RUNVM_ASSIGN(os::Fd copy, duplicate(ours.get()));
    stdio.relay_ends.push_back({stream, std::move(ours), std::move(copy)});
    return {};
}

Error bad_binding(uint32_t fd, const std::string& why) {
    return {ErrorKind::invalid_argument, "stream binding of descriptor " + std::to_string(fd) + ": " + why};
}

} // namespace

Result<Stdio> make_stdio(protocol::Process::Reader process) {
    Stdio stdio;
    auto bindings = process.getStreams();
    if (bindings.size() > protocol::MAX_STREAMS_PER_PROCESS)
        return Error(ErrorKind::invalid_argument, "a process can have at most " +
                                                      std::to_string(protocol::MAX_STREAMS_PER_PROCESS) +
                                                      " stream bindings");
    std::set<uint32_t> numbers;
    for (auto binding : bindings) {
        uint32_t fd = binding.getFd();
        if (fd > max_descriptor)
            return bad_binding(fd, "numbers above 1023 are not supported");
        if (!numbers.insert(fd).second)
            return bad_binding(fd, "bound twice");
        if (binding.getStream() == 0)
            return bad_binding(fd, "stream 0 does not exist");
        int number = static_cast<int>(fd);
        bool is_terminal = process.getTerminal() && fd <= STDERR_FILENO;
        switch (binding.getDirection()) {
        case Direction::BOTH:
            if (!is_terminal) {
                RUNVM_TRY(add_socket(stdio, number, binding.getStream()));
                break;
            }
            if (fd != STDIN_FILENO)
                return bad_binding(fd, "the terminal is bound to descriptor 0");
            stdio.terminal_stream = binding.getStream();
            break;
        case Direction::TO_PROCESS:
            if (is_terminal)
                return bad_binding(fd, "it is the terminal's");
            RUNVM_TRY(add_to_process(stdio, number, binding.getStream()));
            break;
        case Direction::FROM_PROCESS:
            if (is_terminal)
                return bad_binding(fd, "it is the terminal's");
            RUNVM_TRY(add_from_process(stdio, number, binding.getStream()));
            break;
        default:
            return bad_binding(fd, "unknown direction");
        }
    }
    return stdio;
}

Result<RelayEnd> terminal_relay_end(channel::StreamId stream, int master) {
    RUNVM_ASSIGN(os::Fd source, duplicate(master));
    RUNVM_ASSIGN(os::Fd sink, duplicate(master));
    return RelayEnd{stream, std::move(source), std::move(sink)};
}

Result<ProcessDescriptors> ProcessDescriptors::isolate(std::vector<ProcessEnd> ends,
                                                       const std::vector<int*>& needed,
                                                       const std::vector<os::Fd*>& owned) {
    int out_of_the_way = STDERR_FILENO + 1;
    for (const ProcessEnd& end : ends)
        out_of_the_way = std::max(out_of_the_way, end.number + 1);

    ProcessDescriptors descriptors;
    descriptors.ends_ = std::move(ends);
    std::vector<int> kept;
    auto move = [&](int fd) -> int {
        int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, out_of_the_way);
        if (moved >= 0)
            kept.push_back(moved);
        return moved;
    };
    for (int* fd : needed) {
        *fd = move(*fd);
        if (*fd < 0)
            return system_error("move a descriptor");
    }
    for (os::Fd* fd : owned) {
        fd->reset(move(fd->get()));
        if (!*fd)
            return system_error("move a descriptor");
    }
    RUNVM_ASSIGN(os::Fd null, os::open_file("/dev/null", O_RDWR));
    descriptors.null_.reset(move(null.get()));
    if (!descriptors.null_)
        return system_error("move a descriptor");
    for (ProcessEnd& end : descriptors.ends_) {
        end.fd.reset(move(end.fd.get()));
        if (!end.fd)
            return system_error("move a descriptor");
    }
    close_all_but(kept);
    // What is opened while the process is set up must not get a number that `install` will give to a stream:
    // its owner would close the stream later.
    for (int number = 0; number < out_of_the_way; ++number)
        if (::dup3(descriptors.null_.get(), number, O_CLOEXEC) < 0)
            return system_error("reserve a descriptor");
    return descriptors;
}

Result<void> ProcessDescriptors::install(int terminal) {
    std::set<int> installed;
    auto put = [&](int fd, int number) -> Result<void> {
        if (::dup3(fd, number, 0) < 0)
            return system_error("set up descriptor " + std::to_string(number));
        installed.insert(number);
        return {};
    };
    for (const ProcessEnd& end : ends_)
        RUNVM_TRY(put(end.fd.get(), end.number));
    for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) {
        if (installed.count(number) != 0)
            continue;
        RUNVM_TRY(put(terminal >= 0 ? terminal : null_.get(), number));
    }
    unsigned first = 0;
    for (int number : installed) {
        auto next = static_cast<unsigned>(number);
        if (next > first)
            ::close_range(first, next - 1, CLOSE_RANGE_CLOEXEC);
        first = next + 1;
    }
    if (::close_range(first, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
        return system_error("mark descriptors close-on-exec");
    return {};
}

Result<void> give_ends(const std::vector<ProcessEnd>& ends, uid_t uid, gid_t gid) {
    for (const ProcessEnd& end : ends)
        if (::fchown(end.fd.get(), uid, gid) != 0)
            return system_error("chown descriptor " + std::to_string(end.number));
    return {};
}

Result<void> own_stdio(uid_t uid) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
        struct stat info {};
        if (::fstat(fd, &info) != 0)
            return system_error("stat descriptor " + std::to_string(fd));
        bool is_null = S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3);
        if (info.st_uid == uid || is_null)
            continue;
        if (::fchown(fd, uid, info.st_gid) != 0 && errno != EINVAL && errno != EPERM && errno != EROFS)
            return system_error("chown descriptor " + std::to_string(fd));
    }
    return {};
}

} // namespace runvm::agent
