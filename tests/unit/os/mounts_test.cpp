#include "os/mounts.h"

#include "../support/mount_namespace.h"
#include "../support/temporary_folder.h"
#include "os/file.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mount.h>

#include <filesystem>

namespace runvm::os {
namespace {

namespace fs = std::filesystem;

class CloneTreeTest : public ::testing::Test {
protected:
    std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
    void attach(const Fd& tree, const std::string& name) {
        ASSERT_EQ(::move_mount(tree.get(), "", AT_FDCWD, path(name).c_str(), MOVE_MOUNT_F_EMPTY_PATH), 0);
    }
    /// A folder "source" with a file, and a tmpfs mounted below it with another.
    void make_source() {
        fs::create_directories(path("source/below"));
        fs::create_directories(path("target"));
        ASSERT_TRUE(write_file_atomically(path("source/file"), "x", 0600, false).ok());
        ASSERT_EQ(::mount("tmpfs", path("source/below").c_str(), "tmpfs", 0, nullptr), 0);
        ASSERT_TRUE(write_file_atomically(path("source/below/mounted"), "x", 0600, false).ok());
    }
    test::TemporaryFolder folder_;
};

TEST_F(CloneTreeTest, TakesTheMountsBelowOnlyIfAsked) {
    test::in_own_mount_namespace([&] {
        make_source();
        for (bool recursive : {false, true}) {
            auto tree = clone_tree(path("source"), recursive);
            ASSERT_TRUE(tree.ok()) << tree.error().to_string();
            EXPECT_TRUE((::fcntl(tree->get(), F_GETFD) & FD_CLOEXEC) != 0);
            attach(*tree, "target");
            EXPECT_TRUE(fs::exists(path("target/file")));
            EXPECT_EQ(fs::exists(path("target/below/mounted")), recursive);
            ASSERT_EQ(::umount2(path("target").c_str(), MNT_DETACH), 0);
        }
    });
}

TEST_F(CloneTreeTest, TakesAFile) {
    test::in_own_mount_namespace([&] {
        make_source();
        auto tree = clone_tree(path("source/file"), false);
        ASSERT_TRUE(tree.ok());
        ASSERT_TRUE(write_file_atomically(path("target/file"), "hidden", 0600, false).ok());
        attach(*tree, "target/file");
        EXPECT_EQ(read_file(path("target/file")).value(), "x");
    });
}

TEST_F(CloneTreeTest, NamesThePathThatIsMissing) {
    test::in_own_mount_namespace([&] {
        auto tree = clone_tree(path("missing"), true);
        ASSERT_FALSE(tree.ok());
        EXPECT_EQ(tree.error().errno_value(), ENOENT);
        EXPECT_EQ(tree.error().to_string(),
                  "clone the mount at " + path("missing") + ": No such file or directory");
    });
}

} // namespace
} // namespace runvm::os
