#include "vm/file_events.h"

#include "os/file.h"
#include "temporary_folder.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

namespace runvm::vm {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr pid_t nobodys_process = 1;

class FileEventsTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto opened = FileEvents::open(folder.path(), nobodys_process);
        if (!opened)
            GTEST_SKIP() << opened.error().to_string();
        events.emplace(std::move(*opened));
        std::filesystem::create_directories(folder.path() + "/c/share/sub");
        write("/c/share/file", "1");
        if (auto watched = events->watch(99, "c"); !watched && watched.error().errno_value() == EOPNOTSUPP)
            GTEST_SKIP() << "the file system of " << folder.path() << " has no handles";
        events->unwatch(99);
        (void)events->read();
    }

    void write(const std::string& path, const std::string& text) const {
        ASSERT_TRUE(os::write_file_atomically(folder.path() + "/other", text, 0644, false).ok());
        os::Fd file(::open((folder.path() + path).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
        ASSERT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }

    std::vector<FileEvent> all() {
        std::vector<FileEvent> found;
        for (auto more = events->read(); !more.empty(); more = events->read())
            found.insert(found.end(), more.begin(), more.end());
        return found;
    }

    TemporaryFolder folder;
    std::optional<FileEvents> events;
};

TEST_F(FileEventsTest, TellsOfAFolderAndItsEntries) {
    ASSERT_TRUE(events->watch(7, "c/share").ok());
    write("/c/share/file", "22");
    EXPECT_THAT(all(), ElementsAre(FileEvent{7, IN_MODIFY, "file"}, FileEvent{7, IN_CLOSE_WRITE, "file"}));
    ::mkdir((folder.path() + "/c/share/new").c_str(), 0700);
    EXPECT_THAT(all(), ElementsAre(FileEvent{7, IN_CREATE | IN_ISDIR, "new"}));
    ::chmod((folder.path() + "/c/share").c_str(), 0700);
    EXPECT_THAT(all(), ElementsAre(FileEvent{7, IN_ATTRIB | IN_ISDIR, ""}));
    ::rename((folder.path() + "/c/share/new").c_str(), (folder.path() + "/c/share/newer").c_str());
    EXPECT_THAT(all(), ElementsAre(FileEvent{7, IN_MOVED_FROM | IN_ISDIR, "new"},
                                   FileEvent{7, IN_MOVED_TO | IN_ISDIR, "newer"}));
}

TEST_F(FileEventsTest, TellsOfAFileAndItsFolderBoth) {
    ASSERT_TRUE(events->watch(7, "c/share").ok());
    ASSERT_TRUE(events->watch(8, "c/share/file").ok());
    ::chmod((folder.path() + "/c/share/file").c_str(), 0700);
    EXPECT_THAT(
        all(), ::testing::UnorderedElementsAre(FileEvent{7, IN_ATTRIB, "file"}, FileEvent{8, IN_ATTRIB, ""}));
    ::unlink((folder.path() + "/c/share/file").c_str());
    auto found = all();
    EXPECT_THAT(found, Contains(FileEvent{7, IN_DELETE, "file"}));
    EXPECT_THAT(found, Contains(FileEvent{8, IN_DELETE_SELF, ""}));
}

TEST_F(FileEventsTest, TwoWatchesOfOneFile) {
    ASSERT_TRUE(events->watch(1, "c/share/file").ok());
    ASSERT_TRUE(events->watch(2, "c/share/file").ok());
    events->unwatch(1);
    ::chmod((folder.path() + "/c/share/file").c_str(), 0700);
    EXPECT_THAT(all(), ElementsAre(FileEvent{2, IN_ATTRIB, ""}));
    events->unwatch(2);
    events->unwatch(2);
    ::chmod((folder.path() + "/c/share/file").c_str(), 0600);
    EXPECT_THAT(all(), IsEmpty());
}

TEST_F(FileEventsTest, AContainersWatchesGoTogether) {
    std::filesystem::create_directories(folder.path() + "/cc/share");
    ASSERT_TRUE(events->watch(1, "c/share/file").ok());
    ASSERT_TRUE(events->watch(2, "c/share").ok());
    ASSERT_TRUE(events->watch(3, "cc/share").ok());
    events->unwatch_below("c");
    ::chmod((folder.path() + "/c/share/file").c_str(), 0700);
    ::chmod((folder.path() + "/cc/share").c_str(), 0700);
    EXPECT_THAT(all(), ElementsAre(FileEvent{3, IN_ATTRIB | IN_ISDIR, ""}));
}

TEST_F(FileEventsTest, AFileHasSoManyWatchesAtMost) {
    uint32_t id = 1;
    while (id < 100 && events->watch(id, "c/share/file").ok())
        ++id;
    EXPECT_EQ(id, 17U);
    events->unwatch(1);
    EXPECT_TRUE(events->watch(id, "c/share/file").ok());
}

TEST_F(FileEventsTest, WhatHasTakenAFilesPlaceIsWatchedOn) {
    write("/c/share/other", "1");
    ASSERT_TRUE(events->watch(1, "c/share/file").ok());
    ASSERT_TRUE(events->watch(2, "c/share/other").ok());
    std::filesystem::rename(folder.path() + "/c/share/other", folder.path() + "/c/share/file");
    events->unwatch(1);
    (void)all();
    write("/c/share/file", "22");
    EXPECT_THAT(all(), Contains(FileEvent{2, IN_MODIFY, ""}));
}

TEST_F(FileEventsTest, DoesNotLeadOut) {
    ASSERT_EQ(::symlink("/etc", (folder.path() + "/c/share/link").c_str()), 0);
    for (const char* path : {"/etc", "../x", "c/../../x", "c/share/link/passwd", "", "c/share/missing"})
        EXPECT_FALSE(events->watch(1, path).ok()) << path;
    EXPECT_FALSE(events->watch(1, std::string("c\0x", 3)).ok());
}

TEST_F(FileEventsTest, PassesOverWhatOneProcessDoes) {
    auto own = FileEvents::open(folder.path(), ::getpid());
    ASSERT_TRUE(own.ok());
    ASSERT_TRUE(own->watch(1, "c/share").ok());
    write("/c/share/file", "22");
    EXPECT_THAT(own->read(), IsEmpty());
    ASSERT_EQ(std::system(("echo >" + folder.path() + "/c/share/by-another").c_str()), 0);
    EXPECT_THAT(own->read(), Contains(FileEvent{1, IN_CREATE, "by-another"}));
}

} // namespace
} // namespace runvm::vm
