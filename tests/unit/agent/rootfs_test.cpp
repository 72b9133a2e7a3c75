#include "agent/rootfs.h"

#include "../support/temporary_folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace runvm::agent {
namespace {

namespace fs = std::filesystem;
using Kind = Rootfs::Kind;

class RootfsTest : public testing::Test {
protected:
    RootfsTest() : rootfs_(os::Fd(::open(root().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC))) {}

    std::string root() {
        fs::create_directories(folder_.path() + "/root");
        return folder_.path() + "/root";
    }
    std::string outside() { return folder_.path(); }

    /// The path that a descriptor refers to, below the root.
    std::string place_of(const Result<os::Fd>& fd) {
        if (!fd)
            return fd.error().to_string();
        std::string path = fs::read_symlink("/proc/self/fd/" + std::to_string(fd->get()));
        return path.compare(0, root().size(), root()) == 0 ? path.substr(root().size()) : "outside: " + path;
    }
    int errno_of(const Result<os::Fd>& fd) { return fd ? 0 : fd.error().errno_value(); }

    test::TemporaryFolder folder_;
    Rootfs rootfs_;
};

TEST_F(RootfsTest, MakesMissingFolders) {
    EXPECT_EQ(place_of(rootfs_.make_mount_point("/a/b/c", Kind::folder)), "/a/b/c");
    EXPECT_TRUE(fs::is_directory(root() + "/a/b/c"));
    EXPECT_EQ(place_of(rootfs_.make_mount_point("/a/b/c", Kind::folder)), "/a/b/c");
    EXPECT_EQ(place_of(rootfs_.make_mount_point("relative//./x/", Kind::folder)), "/relative/x");
}

TEST_F(RootfsTest, MakesFilesForBindsOfFiles) {
    EXPECT_EQ(place_of(rootfs_.make_mount_point("/etc/hosts", Kind::file)), "/etc/hosts");
    EXPECT_TRUE(fs::is_regular_file(root() + "/etc/hosts"));
}

TEST_F(RootfsTest, RefusesTheOtherKind) {
    std::ofstream(root() + "/file") << "";
    fs::create_directory(root() + "/folder");
    EXPECT_EQ(errno_of(rootfs_.make_mount_point("/file", Kind::folder)), ENOTDIR);
    EXPECT_EQ(errno_of(rootfs_.make_mount_point("/folder", Kind::file)), EISDIR);
    EXPECT_EQ(errno_of(rootfs_.make_mount_point("/file/below", Kind::folder)), ENOTDIR);
}

TEST_F(RootfsTest, KeepsDotDotInside) {
    EXPECT_EQ(place_of(rootfs_.make_mount_point("/../../../x", Kind::folder)), "/x");
    EXPECT_EQ(place_of(rootfs_.make_mount_point("/new/../../other/y", Kind::folder)), "/other/y");
    EXPECT_FALSE(fs::exists(outside() + "/x"));
    EXPECT_FALSE(fs::exists(outside() + "/other"));
}

TEST_F(RootfsTest, KeepsSymlinksInside) {
    fs::create_directory_symlink(outside(), root() + "/absolute");
    fs::create_directory_symlink("../../../../../../..", root() + "/relative");
    fs::create_directory_symlink("/missing/deep", root() + "/dangling");
    // What exists outside is not found: the link is resolved in the root, and its target made there.
    EXPECT_EQ(place_of(rootfs_.make_mount_point("/absolute/root", Kind::folder)), outside() + "/root");
    EXPECT_TRUE(fs::is_directory(root() + outside() + "/root"));
    EXPECT_EQ(place_of(rootfs_.make_mount_point("/relative/up", Kind::folder)), "/up");
    EXPECT_FALSE(fs::exists(outside() + "/up"));
    EXPECT_EQ(place_of(rootfs_.make_mount_point("/dangling/here", Kind::folder)), "/missing/deep/here");
    EXPECT_EQ(place_of(rootfs_.make_mount_point("/dangling/file", Kind::file)), "/missing/deep/file");
}

TEST_F(RootfsTest, FollowsALinkAsTheLastName) {
    fs::create_symlink("/etc/real", root() + "/link");
    EXPECT_EQ(place_of(rootfs_.make_mount_point("/link", Kind::file)), "/etc/real");
    EXPECT_TRUE(fs::is_symlink(root() + "/link"));
}

TEST_F(RootfsTest, GivesUpOnSymlinkLoops) {
    fs::create_symlink("/two", root() + "/one");
    fs::create_symlink("/one", root() + "/two");
    EXPECT_EQ(errno_of(rootfs_.make_mount_point("/one/x", Kind::folder)), ELOOP);
    // The kernel sees no loop here, because a part is missing.
    fs::create_symlink("/missing/../self/x", root() + "/self");
    EXPECT_EQ(errno_of(rootfs_.make_mount_point("/self", Kind::folder)), ELOOP);
}

TEST_F(RootfsTest, DoesNotFollowMagicLinks) {
    Rootfs all(os::Fd(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)));
    EXPECT_FALSE(all.open("/proc/self/root/etc", O_PATH));
}

TEST_F(RootfsTest, FindsTheParentOfADevice) {
    fs::create_directory_symlink("/dev2", root() + "/dev");
    Result<Rootfs::Place> place = rootfs_.make_parent("/dev/net/tun");
    ASSERT_TRUE(place);
    EXPECT_EQ(place->name, "tun");
    EXPECT_TRUE(fs::is_directory(root() + "/dev2/net"));
    EXPECT_FALSE(rootfs_.make_parent("/a/.."));
}

} // namespace
} // namespace runvm::agent
