#include "runtime/foreground.h"

#include "runtime/byte_flow.h"

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

// Of this process's stdin and stdout; none where that is closed.
os::StreamEnd own_end(int fd, int access) {
    auto end = os::StreamEnd::shared(os::duplicate(fd), access);
    return end ? *std::move(end) : os::StreamEnd();
}

Result<os::StreamEnd> end_of(const os::Fd& master) {
    return os::StreamEnd::own(os::duplicate(master.get()));
}

enum Watched { shim_end, signals, input, output, watched_count };

class Foreground {
public:
    Foreground(const os::Spawned& shim, HostTerminal* terminal) : shim_(shim), terminal_(terminal) {
        sigset_t all;
        ::sigfillset(&all);
        signals_ = os::Fd(::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK));
    }

    Result<void> carry_terminal() {
        RUNVM_ASSIGN(os::StreamEnd to_master, end_of(terminal_->master));
        RUNVM_ASSIGN(os::StreamEnd from_master, end_of(terminal_->master));
        input_ = ByteFlow(own_end(STDIN_FILENO, O_RDONLY), std::move(to_master));
        output_ = ByteFlow(std::move(from_master), own_end(STDOUT_FILENO, O_WRONLY));
        return {};
    }

    Result<int> run() {
        while (true) {
            std::array<pollfd, watched_count> polled{};
            polled[shim_end] = {shim_.pidfd.get(), POLLIN, 0};
            polled[Watched::signals] = {signals_.get(), POLLIN, 0};
            polled[input] = input_.wanted();
            polled[output] = output_.wanted();
            if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR)
                return system_error("poll");
            if (polled[Watched::signals].revents != 0)
                forward_signals();
            if (polled[output].revents != 0)
                output_.move();
            if (polled[input].revents != 0 && !input_.move())
                end_input();
            if (polled[shim_end].revents != 0)
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
        constexpr char end_of_file = 4;
        (void)!::write(terminal_->master.get(), &end_of_file, 1); // full: nobody reads it, nobody misses it
    }

    Result<int> finish() {
        if (terminal_ != nullptr) {
            terminal_->slave.reset();
            write_rest();
        }
        RUNVM_ASSIGN(std::optional<os::ExitStatus> status, os::wait_for_exit(shim_.pidfd.get(), -1));
        return status->shell_code();
    }

    // What the process has written before its end is the caller's, however slowly it reads; a signal ends the
    // wait for a caller that does not read at all.
    void write_rest() {
        while (!output_.over()) {
            std::array<pollfd, 2> polled{output_.wanted(), pollfd{signals_.get(), POLLIN, 0}};
            bool reading = polled[0].events == POLLIN;
            int ready = ::poll(polled.data(), polled.size(), reading ? 0 : -1);
            if (ready < 0 && errno == EINTR)
                continue;
            if (polled[1].revents != 0 && asked_to_end())
                return;
            bool nothing_left = reading && polled[0].revents == 0;
            if (nothing_left || (polled[0].revents != 0 && !output_.move()))
                return;
        }
    }

    bool asked_to_end() {
        signalfd_siginfo info{};
        while (::read(signals_.get(), &info, sizeof info) == sizeof info)
            for (int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM})
                if (static_cast<int>(info.ssi_signo) == signal)
                    return true;
        return false;
    }

    const os::Spawned& shim_;
    HostTerminal* terminal_;
    ByteFlow input_;
    ByteFlow output_;
    os::Fd signals_;
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
    Foreground foreground(shim, terminal);
    if (terminal != nullptr)
        RUNVM_TRY(foreground.carry_terminal());
    return foreground.run();
}

} // namespace runvm::runtime
