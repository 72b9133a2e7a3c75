#pragma once
// Runs a part of a test where its mounts disturb nobody and end with it.

#include <gtest/gtest.h>

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <functional>
#include <thread>

namespace runvm::test {

/// Runs `body` on a thread in a mount namespace of its own, whose mounts do not reach the host's. Skips the
/// test without root. /proc/self is another thread's there: use /proc/thread-self.
inline void in_own_mount_namespace(const std::function<void()>& body) {
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs root";
    std::thread thread([&] {
        ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
        ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
        body();
    });
    thread.join();
}

} // namespace runvm::test
