#include "os/file.h"

#include "../support/mount_namespace.h"
#include "../support/temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <thread>

namespace runvm::os {
namespace {

namespace fs = std::filesystem;
using test::in_own_mount_namespace;
using test::TemporaryFolder;

class FileTest : public ::testing::Test {
protected:
    std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
    void write(const std::string& name, const std::string& data) {
        ASSERT_TRUE(write_file_atomically(path(name), data, 0600, false).ok());
    }
    size_t entries(const std::string& below = "") const {
        return static_cast<size_t>(
            std::distance(fs::directory_iterator(path(below)), fs::directory_iterator()));
    }
    TemporaryFolder folder_;
};

TEST_F(FileTest, OpenNamesThePathAndSetsCloseOnExec) {
    write("a", "x");
    auto fd = open_file(path("a"), O_RDONLY);
    ASSERT_TRUE(fd.ok());
    EXPECT_TRUE((::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC) != 0);
    auto missing = open_file(path("missing"), O_RDONLY);
    EXPECT_EQ(missing.error().to_string(), "open " + path("missing") + ": No such file or directory");
    EXPECT_EQ(missing.error().errno_value(), ENOENT);
}

TEST_F(FileTest, ReadsUpToTheLimit) {
    std::string data(100'000, 'x');
    data[50'000] = '\0';
    write("a", data);
    EXPECT_EQ(read_file(path("a")).value(), data);
    EXPECT_EQ(read_file(path("a"), data.size()).value(), data);
    auto large = read_file(path("a"), data.size() - 1);
    EXPECT_EQ(large.error().kind(), ErrorKind::invalid_argument);
    EXPECT_THAT(large.error().message(), ::testing::HasSubstr(path("a")));
    EXPECT_EQ(read_file(folder_.path()).error().errno_value(), EISDIR);
}

TEST_F(FileTest, WritesAllThroughAFullPipe) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    Fd reader(ends[0]);
    Fd writer(ends[1]);
    std::string data(1U << 20U, 'y');
    std::string received;
    std::thread drain([&] { received = read_fd(reader.get(), "pipe").value(); });
    EXPECT_TRUE(write_all(writer.get(), data, "pipe").ok());
    writer.reset();
    drain.join();
    EXPECT_EQ(received, data);
    EXPECT_EQ(write_all(-1, "x", "nothing").error().to_string(), "write nothing: Bad file descriptor");
}

TEST_F(FileTest, ReplacesAFileInOneStep) {
    write("a", "old");
    auto old = open_file(path("a"), O_RDONLY);
    ASSERT_TRUE(write_file_atomically(path("a"), "new", 0640, true).ok());
    EXPECT_EQ(read_file(path("a")).value(), "new");
    EXPECT_EQ(read_fd(old->get(), "old").value(), "old") << "a reader of the old file was disturbed";
    struct stat info {};
    ASSERT_EQ(::stat(path("a").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0640U);
    EXPECT_EQ(entries(), 1U);
}

TEST_F(FileTest, AReaderNeverSeesAPart) {
    std::string first(70'000, '1');
    std::string second(90'000, '2');
    write("a", first);
    std::atomic<bool> done{false};
    std::thread writer([&] {
        for (int i = 0; i < 200; ++i)
            EXPECT_TRUE(write_file_atomically(path("a"), i % 2 == 0 ? second : first, 0600, false).ok());
        done = true;
    });
    while (!done) {
        std::string seen = read_file(path("a")).value();
        ASSERT_TRUE(seen == first || seen == second) << seen.size();
    }
    writer.join();
}

TEST_F(FileTest, AFailedWriteLeavesTheOldFileAndNothingElse) {
    EXPECT_EQ(write_file_atomically(path("no/folder"), "x", 0600, false).error().errno_value(), ENOENT);
    ASSERT_TRUE(make_folders(path("a"), 0700).ok());
    EXPECT_EQ(write_file_atomically(path("a"), "x", 0600, false).error().errno_value(), EISDIR);
    EXPECT_EQ(entries(), 1U);
}

TEST_F(FileTest, AFullDiskLeavesTheOldFileAndNothingElse) {
    in_own_mount_namespace([&] {
        ASSERT_EQ(::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=64k"), 0);
        write("a", "old");
        auto written = write_file_atomically(path("a"), std::string(200'000, 'x'), 0600, true);
        ASSERT_FALSE(written.ok());
        EXPECT_EQ(written.error().errno_value(), ENOSPC);
        EXPECT_EQ(read_file(path("a")).value(), "old");
        EXPECT_EQ(entries(), 1U);
    });
}

TEST_F(FileTest, MakesFolders) {
    ASSERT_TRUE(make_folders(path("a//b/c/"), 0700).ok());
    struct stat info {};
    ASSERT_EQ(::stat(path("a/b/c").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0700U);
    EXPECT_TRUE(make_folders(path("a/b/c"), 0700).ok());
    EXPECT_TRUE(make_folders("/", 0700).ok());
    write("file", "");
    EXPECT_EQ(make_folders(path("file"), 0700).error().errno_value(), ENOTDIR);
    EXPECT_EQ(make_folders(path("file/below"), 0700).error().errno_value(), ENOTDIR);
    EXPECT_FALSE(make_folders("", 0700).ok());
}

TEST_F(FileTest, RemovesATreeAndFollowsNoLink) {
    ASSERT_TRUE(make_folders(path("kept"), 0700).ok());
    write("kept/file", "x");
    ASSERT_TRUE(make_folders(path("tree/a/b"), 0700).ok());
    write("tree/a/file", "x");
    fs::create_directory_symlink(path("kept"), path("tree/link"));
    fs::create_symlink(path("nowhere"), path("tree/a/broken"));
    EXPECT_TRUE(remove_tree(path("tree/")).ok());
    EXPECT_FALSE(fs::exists(path("tree")));
    EXPECT_TRUE(fs::exists(path("kept/file")));

    fs::create_directory_symlink(path("kept"), path("link"));
    EXPECT_TRUE(remove_tree(path("link")).ok());
    EXPECT_TRUE(fs::exists(path("kept/file")));
    EXPECT_TRUE(remove_tree(path("kept/file")).ok());
    EXPECT_TRUE(remove_tree(path("missing")).ok());
    EXPECT_TRUE(remove_tree(path("missing/below")).ok());
    EXPECT_FALSE(remove_tree("/").ok());
    EXPECT_FALSE(remove_tree(path("kept/..")).ok());
    EXPECT_FALSE(remove_tree("").ok());
}

TEST_F(FileTest, RemoveDoesNotGoIntoMounts) {
    in_own_mount_namespace([&] {
        ASSERT_TRUE(make_folders(path("source"), 0700).ok());
        write("source/precious", "x");
        ASSERT_TRUE(make_folders(path("tree/mounted"), 0700).ok());
        // A bind mount of the same filesystem has the same device number.
        ASSERT_EQ(::mount(path("source").c_str(), path("tree/mounted").c_str(), nullptr, MS_BIND, nullptr),
                  0);
        auto removed = remove_tree(path("tree"));
        EXPECT_EQ(removed.error().to_string(), "remove " + path("tree/mounted") + ": is a mount point");
        EXPECT_EQ(remove_tree(path("tree/mounted")).error().errno_value(), EBUSY);
        EXPECT_TRUE(fs::exists(path("source/precious")));
    });
    EXPECT_TRUE(fs::exists(path("source/precious")));
}

TEST_F(FileTest, RemovesAtOnceFromSeveralThreads) {
    for (int round = 0; round < 10; ++round) {
        for (int i = 0; i < 30; ++i) {
            ASSERT_TRUE(make_folders(path("tree/" + std::to_string(i)), 0700).ok());
            write("tree/" + std::to_string(i) + "/file", "x");
        }
        std::thread other([&] { EXPECT_TRUE(remove_tree(path("tree")).ok()); });
        EXPECT_TRUE(remove_tree(path("tree")).ok());
        other.join();
        EXPECT_FALSE(fs::exists(path("tree")));
    }
}

TEST_F(FileTest, ResolvesPaths) {
    ASSERT_TRUE(make_folders(path("a/b"), 0700).ok());
    fs::create_directory_symlink("a", path("link"));
    EXPECT_EQ(real_path(path("link/../a/./b")).value(), fs::canonical(path("a/b")).string());
    EXPECT_EQ(real_path(path("missing")).error().errno_value(), ENOENT);
}

TEST(FdTest, OwnsItsDescriptor) {
    int raw = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    {
        Fd first(raw);
        Fd second(std::move(first));
        EXPECT_FALSE(first); // NOLINT(bugprone-use-after-move): that it is empty is the point
        EXPECT_EQ(second.get(), raw);
        Fd third;
        third = std::move(second);
        EXPECT_TRUE(third);
    }
    EXPECT_EQ(::fcntl(raw, F_GETFD), -1) << "it was not closed";
}

} // namespace
} // namespace runvm::os
