#include "shim/init.h"

#include "os/file.h"
#include "os/loopback.h"

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace runvm::shim {

namespace {

// Nothing of the host stays in this mount namespace but the rootfs and what is mounted below it: a copied
// mount would keep other containers' filesystems busy. Slave: when the caller unmounts its rootfs, it goes
// here as well.
Result<void> bind_rootfs(const std::string& rootfs) {
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0)
        return system_error("make / a slave");
    if (::mount(rootfs.c_str(), rootfs.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
        return system_error("bind " + rootfs);
    return {};
}

// Hooks run meanwhile, and mount below the rootfs.
Result<void> hold(const InitOptions& options) {
    RUNVM_TRY(os::write_all(options.ready_fd, {&bound, 1}, "the report"));
    char byte = 0;
    if (::read(options.hold_fd, &byte, 1) != 1)
        return Error(ErrorKind::interrupted, "the command that makes the container is gone");
    ::close(options.hold_fd);
    return {};
}

Result<void> enter_rootfs(const std::string& rootfs) {
    RUNVM_ASSIGN(os::Fd root, os::open_file(rootfs, O_DIRECTORY | O_PATH));
    if (::fchdir(root.get()) != 0)
        return system_error("chdir to " + rootfs);
    // pivot_root(2), "pivot_root(".", ".")": the old root is stacked upon the new one, and taken away from
    // there.
    if (::syscall(SYS_pivot_root, ".", ".") != 0)
        return system_error("pivot_root to " + rootfs);
    if (::umount2(".", MNT_DETACH) != 0)
        return system_error("unmount the host's root");
    if (::chdir("/") != 0)
        return system_error("chdir to /");
    return {};
}

Result<void> set_up(const InitOptions& options) {
    for (int fd : options.join_fds)
        if (::setns(fd, CLONE_NEWNET) !=
            0) // another kind, joined before the root changes, would lose its mounts
            return system_error("join the network namespace of the configuration");
    if (options.new_network)
        RUNVM_TRY(os::bring_loopback_up());
    if (!options.hostname.empty() && ::sethostname(options.hostname.data(), options.hostname.size()) != 0)
        return system_error("set the host name");
    RUNVM_TRY(bind_rootfs(options.rootfs));
    if (options.hold_fd >= 0)
        RUNVM_TRY(hold(options));
    return enter_rootfs(options.rootfs);
}

} // namespace

int run_init(const InitOptions& options) {
    // Orphans of the namespace come to us; the kernel reaps them.
    ::signal(SIGCHLD, SIG_IGN);
    if (auto done = set_up(options); !done) {
        (void)os::write_all(options.ready_fd, done.error().to_string(), "the report");
        return 1;
    }
    ::close(options.ready_fd);
    for (int fd : options.join_fds)
        ::close(fd);

    char byte = 0;
    while (::read(options.alive_fd, &byte, 1) != 0) {
        // Nobody writes; a signal is no reason to leave.
    }
    return 0;
}

} // namespace runvm::shim
