#include "shim/terminal.h"

#include <termios.h>

namespace runvm::shim {

Result<void> take_terminal(int slave_fd) {
    if (::ioctl(slave_fd, TIOCSCTTY, 0) != 0)
        return system_error("take the terminal");
    termios settings{};
    if (::tcgetattr(slave_fd, &settings) != 0)
        return system_error("read the terminal's settings");
    ::cfmakeraw(&settings);
    if (::tcsetattr(slave_fd, TCSANOW, &settings) != 0)
        return system_error("set the terminal to raw");
    return {};
}

bool read_size(int fd, winsize& size) {
    return ::ioctl(fd, TIOCGWINSZ, &size) == 0;
}

} // namespace runvm::shim
