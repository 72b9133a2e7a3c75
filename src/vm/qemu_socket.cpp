#include "vm/qemu_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace runvm::vm {

Result<os::Fd> listen_for_qemu(const std::string& path, uid_t uid, gid_t gid) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return Error(ErrorKind::invalid_argument, "socket path " + path + " is longer than " +
                                                      std::to_string(sizeof address.sun_path - 1) + " bytes");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);

    os::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd)
        return system_error("make the socket " + path);
    // The mode of the socket's file is the descriptor's: set before bind, so that it is never open to all.
    if (::fchmod(fd.get(), 0600) != 0)
        return system_error("chmod the socket " + path);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return system_error("bind " + path);
    if (::lchown(path.c_str(), uid, gid) != 0 || ::listen(fd.get(), 1) != 0) {
        Error error = system_error("listen on " + path);
        ::unlink(path.c_str());
        return error;
    }
    return fd;
}

} // namespace runvm::vm
