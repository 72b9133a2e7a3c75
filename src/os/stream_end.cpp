#include "os/stream_end.h"

#include "os/file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <string>

namespace runvm::os {

Result<StreamEnd> StreamEnd::shared(Fd fd, int access) {
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0)
        return system_error("look at descriptor " + std::to_string(fd.get()));
    if (S_ISSOCK(info.st_mode))
        return StreamEnd(std::move(fd), false, true, true);
    if (S_ISREG(info.st_mode))
        return StreamEnd(std::move(fd), false, false, false);
    // A pseudoterminal's master would be another one.
    bool can_open_anew = !S_ISCHR(info.st_mode) || info.st_rdev != makedev(5, 2);
    if (can_open_anew) {
        std::string path = "/proc/self/fd/" + std::to_string(fd.get());
        auto again = open_file(path, access | O_NONBLOCK | O_NOCTTY);
        // What cannot be opened (a device that wants to be open once) is used as it is.
        if (again)
            fd = std::move(*again);
    }
    pollfd poll{fd.get(), POLLIN | POLLOUT, 0};
    bool pollable = !S_ISDIR(info.st_mode) && ::poll(&poll, 1, 0) >= 0;
    // /dev/null and its kin have no poll method: epoll refuses them.
    if (S_ISCHR(info.st_mode) && !::isatty(fd.get()))
        pollable = false;
    return StreamEnd(std::move(fd), false, false, pollable);
}

Result<StreamEnd> StreamEnd::own(Fd fd) {
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0)
        return system_error("look at a descriptor of our own");
    int flags = ::fcntl(fd.get(), F_GETFL);
    if (::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0)
        return system_error("set O_NONBLOCK");
    return StreamEnd(std::move(fd), true, S_ISSOCK(info.st_mode), true);
}

ssize_t StreamEnd::read(void* buffer, size_t size) const {
    if (is_socket_)
        return ::recv(fd_.get(), buffer, size, MSG_DONTWAIT);
    return ::read(fd_.get(), buffer, size);
}

ssize_t StreamEnd::write(const void* buffer, size_t size) const {
    if (is_socket_)
        return ::send(fd_.get(), buffer, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    return ::write(fd_.get(), buffer, size);
}

void StreamEnd::close(int shutdown_how) {
    if (own_ && is_socket_ && fd_)
        ::shutdown(fd_.get(), shutdown_how);
    fd_.reset();
}

void StreamEnd::make_blocking() const {
    int flags = ::fcntl(fd_.get(), F_GETFL);
    if (!is_socket_ && pollable_ && flags >= 0)
        ::fcntl(fd_.get(), F_SETFL, flags & ~O_NONBLOCK);
}

} // namespace runvm::os
