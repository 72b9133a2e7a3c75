#include "oci/submounts.h"

#include "os/file.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

namespace runvm::oci {

TEST(submounts, are_read_from_mountinfo) {
    constexpr const char* text = "22 1 8:1 / / rw - ext4 /dev/sda rw\n"
                                 "30 22 0:5 / /data rw - tmpfs t rw\n"
                                 "31 30 0:6 / /data/a\\040b\\134c rw - tmpfs t rw\n"
                                 "32 31 0:7 / /data/a/b/c rw,noatime shared:3 - tmpfs t rw\n"
                                 "33 22 0:8 / /data2 rw - tmpfs t rw\n"
                                 "garbage\n\n";
    auto found = parse_submounts(text, "/data");
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].id, 31U);
    EXPECT_EQ(found[0].path, "a b\\c");
    EXPECT_EQ(found[1].path, "a/b/c");
    EXPECT_EQ(parse_submounts(text, "/").size(), 4U);
    EXPECT_TRUE(parse_submounts("", "/").empty());
}

// In a mount namespace of its own: a folder, a file, and one that is hidden by a mount above it.
TEST(submounts, only_reachable_folders) {
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs root for a mount namespace";
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        auto check = [](bool fine, int code) {
            if (!fine)
                ::_exit(code);
        };
        check(::unshare(CLONE_NEWNS) == 0, 77);
        check(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, 77);
        check(::mount("t", "/tmp", "tmpfs", 0, nullptr) == 0, 77);
        for (const char* folder : {"/tmp/s", "/tmp/s/a", "/tmp/s/hidden", "/tmp/s/hidden/x"})
            check(bool(os::make_folders(folder, 0755)), 2);
        check(bool(os::write_file_atomically("/tmp/s/file", "x", 0644, false)), 3);
        check(::mount("t", "/tmp/s/a", "tmpfs", 0, nullptr) == 0, 4);
        check(::mount("t", "/tmp/s/a", "tmpfs", 0, nullptr) == 0, 4); // hides the first
        check(::mount("/dev/null", "/tmp/s/file", nullptr, MS_BIND, nullptr) == 0, 5);
        check(::mount("t", "/tmp/s/hidden/x", "tmpfs", 0, nullptr) == 0, 6);
        check(::mount("t", "/tmp/s/hidden", "tmpfs", 0, nullptr) == 0, 7);
        auto found = find_submounts("/tmp/s");
        check(found == std::vector<std::string>{"a", "hidden"}, 8);
        ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        GTEST_SKIP() << "no mounts can be made here";
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

} // namespace runvm::oci
