#include "agent/terminal.h"

#include "agent/mounts.h"
#include "agent/syscalls.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace runvm::agent {

namespace {

/// devpts gives its ptmx this number on every mount (Documentation/filesystems/devpts.rst).
constexpr unsigned ptmx_major = 5;
constexpr unsigned ptmx_minor = 2;

} // namespace

Result<Terminal> open_terminal(int root, uint16_t height, uint16_t width) {
    Terminal terminal;
    RUNVM_ASSIGN(terminal.master, open_in_root(root, "/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK));
    struct stat info {};
    if (::fstat(terminal.master.get(), &info) != 0)
        return system_error("stat /dev/ptmx");
    if (!S_ISCHR(info.st_mode) || info.st_rdev != makedev(ptmx_major, ptmx_minor))
        return Error(ErrorKind::invalid_argument, "/dev/ptmx of the container is not a terminal multiplexer");

    int unlocked = 0;
    if (::ioctl(terminal.master.get(), TIOCSPTLCK, &unlocked) != 0)
        return system_error("unlock the terminal");
    // By ioctl and not by name: /dev/pts of the container may be anything.
    terminal.slave.reset(::ioctl(terminal.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!terminal.slave)
        return system_error("open the terminal's slave");
    if (height != 0 || width != 0)
        RUNVM_TRY(resize_terminal(terminal.master.get(), height, width));
    return terminal;
}

Result<void> bind_console(const Rootfs& rootfs, int slave) {
    RUNVM_ASSIGN(os::Fd target, rootfs.make_mount_point("/dev/console", Rootfs::Kind::file));
    RUNVM_ASSIGN(os::Fd tree, clone_tree_of(slave, "the terminal's slave"));
    return attach_tree(tree.get(), target.get(), "/dev/console");
}

Result<void> take_terminal(int slave) {
    if (::ioctl(slave, TIOCSCTTY, 0) != 0)
        return system_error("make the terminal the controlling one");
    return {};
}

Result<void> resize_terminal(int master, uint16_t height, uint16_t width) {
    winsize size{};
    size.ws_row = height;
    size.ws_col = width;
    if (::ioctl(master, TIOCSWINSZ, &size) != 0)
        return system_error("resize the terminal");
    return {};
}

} // namespace runvm::agent
