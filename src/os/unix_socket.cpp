#include "os/unix_socket.h"

#include "os/file.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cstring>

namespace runvm::os {
namespace {

struct Address {
    sockaddr_un name{};
    Fd folder; ///< kept open for as long as the address goes through it
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
};

// A long path is reached through a descriptor of its folder: /proc/self/fd/N/name.
Result<Address> make_address(const std::string& path) {
    Address address;
    address.name.sun_family = AF_UNIX;
    std::string usable = path;
    if (path.size() >= sizeof address.name.sun_path) {
        size_t slash = path.rfind('/');
        std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
        RUNVM_ASSIGN(address.folder, open_file(folder, O_PATH | O_DIRECTORY));
        usable = "/proc/self/fd/" + std::to_string(address.folder.get()) + "/" + path.substr(slash + 1);
    }
    if (usable.size() >= sizeof address.name.sun_path)
        return Error(ErrorKind::invalid_argument, "the name of socket " + path + " is too long");
    std::memcpy(address.name.sun_path, usable.c_str(), usable.size() + 1);
    return address;
}

Result<Fd> new_socket() {
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket)
        return system_error("open a unix socket");
    return socket;
}

/// 0: no limit.
Result<void> set_send_timeout(int socket, int timeout_ms) {
    timeval timeout{.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    if (::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) != 0)
        return system_error("set a time limit on a unix socket");
    return {};
}

} // namespace

Result<Fd> listen_unix(const std::string& path) {
    RUNVM_ASSIGN(Address address, make_address(path));
    RUNVM_ASSIGN(Fd socket, new_socket());
    // The file takes the socket's mode (unix_bind_bsd in the kernel's net/unix/af_unix.c): no moment with
    // more.
    if (::fchmod(socket.get(), 0600) != 0)
        return system_error("chmod the socket of " + path);
    if (::bind(socket.get(), address.get(), sizeof address.name) != 0)
        return system_error("bind " + path);
    if (::listen(socket.get(), SOMAXCONN) != 0)
        return system_error("listen on " + path);
    return socket;
}

Result<Fd> connect_unix(const std::string& path, int timeout_ms) {
    RUNVM_ASSIGN(Address address, make_address(path));
    RUNVM_ASSIGN(Fd socket, new_socket());
    // connect(2) waits while the listener's queue is full; with one that never accepts, for ever.
    RUNVM_TRY(set_send_timeout(socket.get(), timeout_ms));
    if (::connect(socket.get(), address.get(), sizeof address.name) != 0) {
        if (errno == EAGAIN)
            return Error(ErrorKind::timeout, "connect to " + path + ": nobody accepts connections", EAGAIN);
        return system_error("connect to " + path);
    }
    RUNVM_TRY(set_send_timeout(socket.get(), 0));
    return socket;
}

Result<void> send_fd(int socket, int fd, const std::string& text) {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    std::string data = text;
    iovec part{data.data(), data.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    ssize_t sent;
    do {
        sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return system_error("send a descriptor");
    return {};
}

} // namespace runvm::os
