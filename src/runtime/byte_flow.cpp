#include "runtime/byte_flow.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace runvm::runtime {

namespace {

bool try_later(int errno_value) {
    return errno_value == EINTR || errno_value == EAGAIN || errno_value == EWOULDBLOCK;
}

} // namespace

ByteFlow::ByteFlow(int from, int to) : from_(from), to_(to) {
    struct stat info {};
    is_socket_ = ::fstat(to, &info) == 0 && S_ISSOCK(info.st_mode);
}

os::Fd nonblocking_output(int fd) {
    struct stat info {};
    if (::fstat(fd, &info) != 0)
        return {};
    // A pseudoterminal's master would be another one when it is opened again.
    bool terminal = S_ISCHR(info.st_mode) && ::isatty(fd) != 0 && info.st_rdev != makedev(5, 2);
    if (!S_ISFIFO(info.st_mode) && !terminal)
        return {};
    std::string path = "/proc/self/fd/" + std::to_string(fd);
    return os::Fd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

pollfd ByteFlow::wanted() const {
    if (begin_ < end_)
        return {to_, POLLOUT, 0};
    return {from_, POLLIN, 0};
}

bool ByteFlow::move() {
    bool going = begin_ < end_ ? write_some() : read_some();
    if (!going) {
        from_ = -1;
        begin_ = end_ = 0;
    }
    return going;
}

bool ByteFlow::read_some() {
    if (from_ < 0)
        return false;
    ssize_t count = ::read(from_, buffer_.data(), buffer_.size());
    if (count < 0)
        return try_later(errno);
    if (count == 0)
        return false;
    begin_ = 0;
    end_ = static_cast<size_t>(count);
    return true;
}

bool ByteFlow::write_some() {
    size_t size = end_ - begin_;
    ssize_t count = is_socket_ ? ::send(to_, buffer_.data() + begin_, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                               : ::write(to_, buffer_.data() + begin_, size);
    if (count < 0)
        return try_later(errno);
    begin_ += static_cast<size_t>(count);
    return true;
}

} // namespace runvm::runtime
