#include "runtime/foreground.h"

#include "core/defer.h"
#include "os/file.h"

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <optional>

namespace runvm::runtime {

namespace {

class RawTerminal {
public:
    explicit RawTerminal(int fd) : fd_(fd) {
        if (::tcgetattr(fd_, &before_) != 0)
            return;
        termios raw = before_;
        ::cfmakeraw(&raw);
        active_ = ::tcsetattr(fd_, TCSANOW, &raw) == 0;
    }
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;
    ~RawTerminal() {
        if (active_)
            ::tcsetattr(fd_, TCSADRAIN, &before_);
    }

private:
    int fd_;
    termios before_{};
    bool active_ = false;
};

void copy_size(int master) {
    winsize size{};
    if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row != 0)
        ::ioctl(master, TIOCSWINSZ, &size);
}

// Moves what is there now. False at the end.
bool move_bytes(int from, int to) {
    std::array<char, 16384> buffer;
    ssize_t n = ::read(from, buffer.data(), buffer.size());
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (n == 0)
        return false;
    return os::write_all(to, {buffer.data(), static_cast<size_t>(n)}, "the terminal").ok();
}

enum Watched { shim_end, signals, input, output, watched_count };

class Foreground {
public:
    Foreground(const os::Spawned& shim, HostTerminal* terminal) : shim_(shim), terminal_(terminal) {
        sigset_t all;
        ::sigfillset(&all);
        signals_ = os::Fd(::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK));
        polled_[shim_end] = {shim.pidfd.get(), POLLIN, 0};
        polled_[Watched::signals] = {signals_.get(), POLLIN, 0};
        polled_[input] = {terminal != nullptr ? STDIN_FILENO : -1, POLLIN, 0};
        polled_[output] = {terminal != nullptr ? terminal->master.get() : -1, POLLIN, 0};
    }

    Result<int> run() {
        while (true) {
            if (::poll(polled_.data(), polled_.size(), -1) < 0 && errno != EINTR)
                return system_error("poll");
            if (polled_[Watched::signals].revents != 0)
                forward_signals();
            if (polled_[output].revents != 0 && !move_bytes(terminal_->master.get(), STDOUT_FILENO))
                polled_[output].fd = -1;
            if (polled_[input].revents != 0 && !move_bytes(STDIN_FILENO, terminal_->master.get()))
                end_input();
            if (polled_[shim_end].revents != 0)
                return finish();
        }
    }

private:
    void forward_signals() {
        signalfd_siginfo info{};
        while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
            auto signal = static_cast<int>(info.ssi_signo);
            if (signal == SIGCHLD || signal == SIGPIPE)
                continue;
            if (signal == SIGWINCH && terminal_ != nullptr)
                copy_size(terminal_->master.get()); // the shim hears of it from the kernel
            else
                (void)os::send_signal(shim_.pidfd.get(), signal); // gone: seen in the next turn
        }
    }

    // A terminal has no end-of-file of its own: the caller's becomes the end-of-file character.
    void end_input() {
        polled_[input].fd = -1;
        constexpr char end_of_file = 4;
        (void)os::write_all(terminal_->master.get(), {&end_of_file, 1}, "the terminal");
    }

    Result<int> finish() {
        if (terminal_ != nullptr) {
            pollfd rest{terminal_->master.get(), POLLIN, 0};
            terminal_->slave.reset();
            while (::poll(&rest, 1, 0) > 0 && (rest.revents & POLLIN) != 0 &&
                   move_bytes(terminal_->master.get(), STDOUT_FILENO)) {
            }
        }
        RUNVM_ASSIGN(std::optional<os::ExitStatus> status, os::wait_for_exit(shim_.pidfd.get(), -1));
        return status->shell_code();
    }

    const os::Spawned& shim_;
    HostTerminal* terminal_;
    os::Fd signals_;
    std::array<pollfd, watched_count> polled_{};
};

} // namespace

void hold_signals() {
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
}

Result<int> stay_in_foreground(const os::Spawned& shim, HostTerminal* terminal) {
    std::optional<RawTerminal> raw;
    if (terminal != nullptr) {
        copy_size(terminal->master.get());
        terminal->slave.reset(); // end-of-file on the master when the shim has left
        if (::isatty(STDIN_FILENO) != 0)
            raw.emplace(STDIN_FILENO);
    }
    return Foreground(shim, terminal).run();
}

} // namespace runvm::runtime
