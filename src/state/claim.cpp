#include "state/claim.h"

#include "core/time.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace runvm::state {

Error not_found() {
    return {ErrorKind::not_found, "container does not exist"};
}

Error already_exists() {
    return {ErrorKind::already_exists, "container with given ID already exists"};
}

Error with_container(Error error, const std::string& id) {
    return std::move(error).add_context("container " + id);
}

Result<Locked> try_lock(int fd, const std::string& path) {
    while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return Locked::no;
        if (errno != EINTR)
            return system_error("lock " + path);
    }
    return Locked::yes;
}

Result<void> wait_for_lock(int fd, const std::string& path, const std::string& whose, int limit_ms) {
    using std::chrono::milliseconds;
    using std::chrono::steady_clock;
    auto deadline = steady_clock::now() + milliseconds(limit_ms);
    // flock has no limit of its own, so it is polled: 1 ms at first, since most commands take few.
    milliseconds pause(1);
    while (true) {
        auto locked = try_lock(fd, path);
        if (!locked)
            return std::move(locked).error().add_context(whose);
        if (*locked == Locked::yes)
            return {};
        if (steady_clock::now() >= deadline)
            return Error(ErrorKind::timeout, whose +
                                                 " is in use by another command that has not ended within " +
                                                 std::to_string(limit_ms) + " ms; try again later");
        std::this_thread::sleep_for(pause);
        pause = std::min(pause * 2, milliseconds(8));
    }
}

bool is_still_at(int fd, const std::string& path) {
    struct stat held {};
    struct stat named {};
    return ::fstat(fd, &held) == 0 && ::lstat(path.c_str(), &named) == 0 && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

Container reserved_container(const std::string& id) {
    Container container;
    container.id = id;
    container.creator = process_ref(::getpid());
    container.owner = ::geteuid();
    container.created_ns = now_ns();
    return container;
}

} // namespace runvm::state
