#include "agent/console.h"

#include <fcntl.h>
#include <unistd.h>

namespace runvm::agent {

void open_console() {
    int console = ::open("/dev/console", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (console < 0)
        return;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
        ::dup2(console, fd);
    if (console > STDERR_FILENO)
        ::close(console);
}

void log_line(const std::string& text) {
    std::string line = "runvm-agent: " + text + "\n";
    [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

} // namespace runvm::agent
