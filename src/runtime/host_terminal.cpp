#include "runtime/host_terminal.h"

#include "os/file.h"
#include "os/unix_socket.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cstdlib>

namespace runvm::runtime {

Result<void> check_console_socket(bool terminal, bool detach, const std::string& console_socket) {
    if (terminal && detach && console_socket.empty())
        return Error(ErrorKind::invalid_argument,
                     "cannot allocate tty if runvm will detach without setting console socket");
    if ((!terminal || !detach) && !console_socket.empty())
        return Error(ErrorKind::invalid_argument,
                     "cannot use console socket if runvm will not detach or allocate tty");
    return {};
}

Result<HostTerminal> open_terminal(uint16_t height, uint16_t width) {
    HostTerminal terminal;
    RUNVM_ASSIGN(terminal.master, os::open_file("/dev/ptmx", O_RDWR | O_NOCTTY));
    int unlock = 0;
    if (::ioctl(terminal.master.get(), TIOCSPTLCK, &unlock) != 0)
        return system_error("unlock the terminal");
    int number = 0;
    if (::ioctl(terminal.master.get(), TIOCGPTN, &number) != 0)
        return system_error("ask for the terminal's name");
    terminal.name = "/dev/pts/" + std::to_string(number);
    // Not by its name: another devpts may be mounted there.
    terminal.slave = os::Fd(::ioctl(terminal.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!terminal.slave)
        return system_error("open " + terminal.name);
    if (height != 0 || width != 0) {
        winsize size{height, width, 0, 0};
        if (::ioctl(terminal.master.get(), TIOCSWINSZ, &size) != 0)
            return system_error("set the terminal's size");
    }
    return terminal;
}

Result<void> send_master(const HostTerminal& terminal, const std::string& socket_path) {
    auto socket = os::connect_unix(socket_path);
    if (!socket)
        return std::move(socket).context("connect to console socket " + socket_path).error();
    return os::send_fd(socket->get(), terminal.master.get(), terminal.name);
}

} // namespace runvm::runtime
