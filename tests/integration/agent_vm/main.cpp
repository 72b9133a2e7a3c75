// The agent in a real VM. Usage, as root: agent-vm [gtest options] KERNEL INITRD, with the guest's ELF kernel
// and an initial RAM disk made by guest/make-initrd.

#include "agent_calls.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <chrono>
#include <cstdio>

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    if (argc != 3) {
        std::fprintf(stderr, "usage: agent-vm [gtest options] KERNEL INITRD\n");
        return 2;
    }
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) != 0) {
        std::perror("agent-vm: make a mount namespace (are you root?)");
        return 2;
    }
    auto begin = std::chrono::steady_clock::now();
    runvm::test::GuestVm machine(argv[1], argv[2]);
    std::printf("session after %.0f ms\n%s", runvm::test::ms_since(begin), machine.console().c_str());
    runvm::test::vm = &machine;
    runvm::test::register_power_off_test();
    int result = RUN_ALL_TESTS();
    std::printf("--- console\n%s", machine.console().c_str());
    return result;
}
