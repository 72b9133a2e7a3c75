#include "agent/syscalls.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace runvm::agent {

namespace {

Result<os::Fd> open_restricted(int folder, const std::string& path, uint64_t flags, uint64_t resolve) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.resolve = resolve;
    // EAGAIN: a rename elsewhere raced with the resolution of "..", see openat2(2).
    for (int attempt = 0; attempt < 32; ++attempt) {
        os::Fd fd(static_cast<int>(::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how)));
        if (fd)
            return fd;
        if (errno != EAGAIN && errno != EINTR)
            break;
    }
    return system_error("open " + path);
}

} // namespace

Result<os::Fd> open_in_root(int root, const std::string& path, uint64_t flags) {
    return open_restricted(root, path, flags, RESOLVE_IN_ROOT);
}

Result<os::Fd> open_beneath(int folder, const std::string& path, uint64_t flags) {
    return open_restricted(folder, path, flags,
                           RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

Result<void> join_namespaces(int fd, int flags, const std::string& name) {
    if (::setns(fd, flags) != 0)
        return system_error("join the namespaces of " + name);
    return {};
}

Result<void> send_signal(int pidfd, int signal) {
    if (::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0)
        return {};
    if (errno == ESRCH)
        return Error(ErrorKind::process_finished, "the process has finished", ESRCH);
    return system_error("send signal " + std::to_string(signal));
}

void close_all_but(std::vector<int> kept) {
    std::sort(kept.begin(), kept.end());
    unsigned first = 3;
    for (int fd : kept) {
        if (fd < 0)
            continue;
        auto number = static_cast<unsigned>(fd);
        if (number > first)
            ::close_range(first, number - 1, 0);
        first = std::max(first, number + 1);
    }
    ::close_range(first, ~0U, 0);
}

} // namespace runvm::agent
