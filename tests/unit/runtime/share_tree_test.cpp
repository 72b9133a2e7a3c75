// Trees for the guest: id-mapped ones on the host's file systems.

#include "runtime/share_tree.h"

#include "../support/mount_namespace.h"
#include "../support/temporary_folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

namespace runvm::runtime {
namespace {

namespace fs = std::filesystem;

class ShareTree : public ::testing::Test {
protected:
    ShareTree() {
        std::ofstream(folder_.path() + "/file") << "text";
        EXPECT_EQ(::chown((folder_.path() + "/file").c_str(), 3, 4), 0);
    }
    static oci::ShareSource mapped(const std::string& path) {
        oci::ShareSource source;
        source.name = "m0";
        source.path = path;
        source.id_mappings = {{{0, 100000, 10}}, {{0, 200000, 10}}};
        return source;
    }
    /// "UID:GID" of a file of the tree.
    static std::string owner(const os::Fd& tree, const char* file) {
        struct stat info {};
        EXPECT_EQ(::fstatat(tree.get(), file, &info, 0), 0);
        return std::to_string(info.st_uid) + ":" + std::to_string(info.st_gid);
    }
    bool can_map() const {
        auto tree = clone_share(mapped(folder_.path()));
        return tree || tree.error().kind() != ErrorKind::unsupported;
    }

    test::TemporaryFolder folder_;
};

TEST_F(ShareTree, HasTheSourcesIds) {
    oci::ShareSource source = mapped(folder_.path());
    source.id_mappings = {};
    auto tree = clone_share(source);
    ASSERT_TRUE(tree) << tree.error().to_string();
    EXPECT_EQ(owner(*tree, "file"), "3:4");
}

TEST_F(ShareTree, HasMappedIds) {
    if (!can_map())
        GTEST_SKIP() << "the file system of " << folder_.path() << " does not support idmapped mounts";
    auto tree = clone_share(mapped(folder_.path()));
    ASSERT_TRUE(tree) << tree.error().to_string();
    EXPECT_EQ(owner(*tree, "file"), "100003:200004");
}

TEST_F(ShareTree, BelowIsMappedWhenThatIsAskedFor) {
    if (!can_map())
        GTEST_SKIP() << "the file system of " << folder_.path() << " does not support idmapped mounts";
    test::in_own_mount_namespace([&] {
        std::string below = folder_.path() + "/below";
        fs::create_directory(below);
        ASSERT_EQ(::mount("tmpfs", below.c_str(), "tmpfs", 0, nullptr), 0);
        std::ofstream(below + "/file") << "text";
        oci::ShareSource source = mapped(folder_.path());
        auto top = clone_share(source);
        ASSERT_TRUE(top);
        EXPECT_EQ(owner(*top, "file"), "100003:200004");
        EXPECT_EQ(owner(*top, "below/file"), "0:0");
        source.id_mapped_recursive = true;
        auto all = clone_share(source);
        if (all)
            EXPECT_EQ(owner(*all, "below/file"), "100000:200000");
        else
            EXPECT_EQ(all.error().kind(), ErrorKind::unsupported) << "a tmpfs before Linux 6.3";
    });
}

TEST_F(ShareTree, AFileSystemThatCannotIsNamedBeforeAnythingIsStarted) {
    Result<void> checked = check_id_mapped_shares(std::vector{mapped("/proc/sys")});
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().kind(), ErrorKind::unsupported);
    EXPECT_EQ(
        checked.error().message(),
        "mount of /proc/sys: the file system there does not support idmapped mounts on the host's kernel");
    oci::ShareSource plain = mapped("/proc/sys");
    plain.id_mappings = {};
    EXPECT_TRUE(check_id_mapped_shares(std::vector{plain}));
}

} // namespace
} // namespace runvm::runtime
