#include "state/store.h"

#include "os/file.h"
#include "sample_container.h"
#include "store_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>

namespace runvm::state {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FilesystemStoreTest : protected StoreFixture, public ::testing::Test {
protected:
    FilesystemStoreTest() : StoreFixture(open_filesystem_store) {}

    size_t entries(const std::string& folder) const {
        return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
    }
};

TEST_F(FilesystemStoreTest, WritesTheConfigOnlyWhenItChanged) {
    Container container = sample_container("one");
    put(container);
    struct stat first {};
    ASSERT_EQ(::stat(path("one/config.json").c_str(), &first), 0);
    container.status = Status::paused;
    ASSERT_TRUE(store_->save(container).ok());
    struct stat second {};
    ASSERT_EQ(::stat(path("one/config.json").c_str(), &second), 0);
    // Each writing makes a new file.
    EXPECT_EQ(first.st_ino, second.st_ino);
}

TEST_F(FilesystemStoreTest, FoldersAreTheOwnersAlone) {
    put(sample_container("one"));
    for (const std::string& folder : {root(), path("one")}) {
        struct stat info {};
        ASSERT_EQ(::stat(folder.c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 07777U, 0700U) << folder;
    }
}

TEST_F(FilesystemStoreTest, AFolderWithoutStateMayHaveAMachineStill) {
    fs::create_directories(path("one"));
    auto container = store_->load("one");
    ASSERT_FALSE(container.ok());
    EXPECT_EQ(container.error().kind(), ErrorKind::corrupted);
    EXPECT_THAT(container.error().to_string(), HasSubstr("state.json"));
    EXPECT_EQ(store_->reserve("one").error().kind(), ErrorKind::already_exists);
    EXPECT_TRUE(store_->lock("one").ok());
    EXPECT_TRUE(store_->remove("one").ok());
}

TEST_F(FilesystemStoreTest, ACorruptedStateIsReportedListedAndCleared) {
    put(sample_container("good"));
    put(sample_container("empty"));
    put(sample_container("half"));
    put(sample_container("other"));
    put(sample_container("folder"));
    put(sample_container("noconfig"));
    put(sample_container("gone"));
    overwrite("empty/state.json", "");
    std::string text = os::read_file(path("half/state.json")).value();
    overwrite("half/state.json", text.substr(0, text.size() / 2));
    overwrite("other/state.json", os::read_file(path("good/state.json")).value());
    fs::remove(path("folder/state.json"));
    fs::create_directory(path("folder/state.json"));
    fs::remove(path("noconfig/config.json"));
    fs::remove(path("gone/state.json"));
    overwrite("file", "not a folder");

    EXPECT_THAT(store_->list().value(),
                ElementsAre("empty", "folder", "gone", "good", "half", "noconfig", "other"));
    for (const char* id : {"empty", "half", "other", "folder", "noconfig", "gone", "file"}) {
        auto loaded = store_->load(id);
        ASSERT_FALSE(loaded.ok()) << id;
        EXPECT_EQ(loaded.error().kind(), ErrorKind::corrupted) << loaded.error().to_string();
        EXPECT_THAT(loaded.error().to_string(), HasSubstr(path(id))) << id;
        EXPECT_EQ(store_->reserve(id).error().kind(), ErrorKind::already_exists);
        EXPECT_TRUE(store_->remove(id).ok());
        EXPECT_EQ(store_->load(id).error().kind(), ErrorKind::not_found);
    }
    EXPECT_THAT(store_->list().value(), ElementsAre("good"));
    EXPECT_EQ(entries(root()), 1U);
}

TEST_F(FilesystemStoreTest, ClearsWhatKilledProcessesLeft) {
    fs::create_directories(path("@deleted-1-0/below"));
    fs::create_directories(path("@new-1-0"));
    fs::create_directories(path("@sandboxes/kept"));
    EXPECT_TRUE(store_->list().value().empty());
    EXPECT_TRUE(store_->remove("one").ok());
    EXPECT_EQ(entries(root()), 1U);

    fs::create_directories(path("@new-1-0"));
    fs::create_directories(path("@deleted-1-0"));
    put(sample_container("one"));
    EXPECT_EQ(entries(root()), 2U);
    EXPECT_TRUE(fs::exists(path("@sandboxes/kept")));
}

TEST_F(FilesystemStoreTest, LeavesFoldersOnTheirWayToTheirProcess) {
    fs::create_directories(path("@new-1-0"));
    auto held = os::open_file(path("@new-1-0"), O_RDONLY | O_DIRECTORY);
    ASSERT_TRUE(held.ok());
    ASSERT_EQ(::flock(held->get(), LOCK_EX | LOCK_NB), 0);
    put(sample_container("one"));
    EXPECT_TRUE(fs::exists(path("@new-1-0")));
}

TEST_F(FilesystemStoreTest, AnEarlierFailedRemovalIsNotInTheWay) {
    // The names hold the pid and a counter: take all that this process could be about to use.
    on_tmpfs("size=64m", [&] {
        for (int i = 0; i < 3'000; ++i)
            fs::create_directories(path("@deleted-" + std::to_string(::getpid()) + "-" + std::to_string(i)));
        fs::create_directories(path("one"));
        EXPECT_TRUE(store_->remove("one").ok());
        EXPECT_EQ(entries(root()), 0U);
    });
}

TEST_F(FilesystemStoreTest, AFullDiskLeavesNothingHalfMade) {
    on_tmpfs("size=128k", [&] {
        Container container = sample_container("one");
        put(container);
        (void)os::write_file_atomically(path("filler"), std::string(64 * 1024, 'x'), 0600, false);
        while (os::write_file_atomically(path("filler" + std::to_string(entries(root()))),
                                         std::string(4096, 'x'), 0600, false)) {
        }
        size_t before = entries(root());
        auto reserved = store_->reserve("two");
        ASSERT_FALSE(reserved.ok());
        EXPECT_EQ(reserved.error().errno_value(), ENOSPC);
        EXPECT_THAT(reserved.error().to_string(), HasSubstr("container two: "));
        EXPECT_THAT(reserved.error().to_string(), HasSubstr(root()));
        EXPECT_THAT(store_->list().value(), ElementsAre("one"));
        EXPECT_EQ(entries(root()), before);

        Container changed = container;
        changed.status = Status::stopped;
        changed.config = std::string(100'000, 'c');
        EXPECT_EQ(store_->save(changed).error().errno_value(), ENOSPC);
        expect_equal(store_->load("one").value(), container);
        EXPECT_EQ(entries(path("one")), 2U);

        EXPECT_TRUE(store_->lock("one").ok());
        EXPECT_TRUE(store_->remove("one").ok()) << "deleting needs no room";
        EXPECT_FALSE(fs::exists(path("one")));
    });
}

} // namespace
} // namespace runvm::state
