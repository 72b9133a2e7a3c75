// What the LevelDB store does beyond the contract of all stores.
#include "state/leveldb/store.h"

#include "os/file.h"
#include "sample_container.h"
#include "state/leveldb/database.h"
#include "store_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>

namespace runvm::state {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class LeveldbStoreTest : protected StoreFixture, public testing::Test {
protected:
    LeveldbStoreTest() : StoreFixture(open_leveldb_store) {}

    std::string database() const { return Database::folder(root()); }
    /// Names and times of the database's files.
    std::set<std::string> files() const {
        std::set<std::string> all;
        for (const auto& file : fs::directory_iterator(database())) {
            struct stat info {};
            EXPECT_EQ(::stat(file.path().c_str(), &info), 0);
            all.insert(file.path().filename().string() + " " + std::to_string(info.st_size) + " " +
                       std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec));
        }
        return all;
    }
};

TEST_F(LeveldbStoreTest, FoldersAreTheOwnersAlone) {
    put(sample_container("one"));
    for (const std::string& folder : {root(), database(), root() + "/@locks"}) {
        struct stat info {};
        ASSERT_EQ(::stat(folder.c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 07777U, 0700U) << folder;
    }
}

TEST_F(LeveldbStoreTest, WhoReadsWritesNothing) {
    for (const char* id : {"one", "two", "three", "four", "five", "six"}) // enough for a compaction
        put(sample_container(id));
    auto before = files();
    for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(store_->load("one"));
        EXPECT_EQ(store_->list()->size(), 6U);
        EXPECT_EQ(store_->load_all()->size(), 6U);
        EXPECT_TRUE(store_->lock("one"));
    }
    EXPECT_EQ(files(), before);
}

TEST_F(LeveldbStoreTest, ReadersShareIt) {
    put(sample_container("one"));
    auto reader = Database::open_to_read(root());
    ASSERT_TRUE(reader.ok());
    EXPECT_TRUE(store_->load("one"));
    EXPECT_EQ(*(*reader)->get("config/one"), sample_container("one").config);
}

TEST_F(LeveldbStoreTest, AFullDiskLetsContainersBeReadAndDeleted) {
    test::in_own_mount_namespace([&] {
        fs::create_directories(root());
        ASSERT_EQ(::mount("tmpfs", root().c_str(), "tmpfs", 0, "size=4m"), 0);
        put(sample_container("one"));
        put(sample_container("two"));
        for (int i = 0; os::write_file_atomically(root() + "/filler" + std::to_string(i),
                                                  std::string(4096, 'x'), 0600, false);
             ++i) {
        }
        auto reserved = store_->reserve("three");
        ASSERT_FALSE(reserved.ok());
        EXPECT_EQ(reserved.error().errno_value(), ENOSPC) << reserved.error().to_string();
        EXPECT_FALSE(store_->save(sample_container("one")));
        EXPECT_THAT(*store_->list(), ElementsAre("one", "two"));
        expect_equal(*store_->load("one"), sample_container("one"));
        EXPECT_TRUE(store_->lock("one"));
        auto removed = store_->remove("one");
        EXPECT_TRUE(removed) << removed.error().to_string();
        EXPECT_THAT(*store_->list(), ElementsAre("two"));
    });
}

TEST_F(LeveldbStoreTest, ADamagedRecordIsReportedListedAndCleared) {
    put(sample_container("good"));
    put(sample_container("bad"));
    {
        auto database = Database::open_to_write(root());
        ASSERT_TRUE(database->put({{"state/bad", "{"}}));
    }
    auto loaded = store_->load("bad");
    EXPECT_EQ(loaded.error().kind(), ErrorKind::corrupted);
    EXPECT_THAT(loaded.error().to_string(), HasSubstr("state/bad"));
    EXPECT_THAT(*store_->list(), ElementsAre("bad", "good"));
    EXPECT_FALSE(store_->load_all()->front().container.ok());
    EXPECT_TRUE(store_->lock("bad"));
    EXPECT_TRUE(store_->remove("bad"));
    EXPECT_THAT(*store_->list(), ElementsAre("good"));
}

TEST_F(LeveldbStoreTest, ADamagedDatabaseIsReportedAndRepairedByADeletion) {
    put(sample_container("one"));
    ASSERT_TRUE(os::write_file_atomically(database() + "/CURRENT", "MANIFEST-nonsense\n", 0600, false));
    auto loaded = store_->load("one");
    ASSERT_FALSE(loaded.ok());
    EXPECT_THAT(loaded.error().to_string(), HasSubstr(database()));
    auto removed = store_->remove("one");
    EXPECT_TRUE(removed) << removed.error().to_string();
    EXPECT_TRUE(store_->list()->empty());
    put(sample_container("two"));
}

TEST_F(LeveldbStoreTest, AStoppedWriterDoesNotHangOthersForEver) {
    put(sample_container("one"));
    os::Fd held(::open(database().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_EQ(::flock(held.get(), LOCK_EX), 0);
    auto reader = Database::open_to_read(root(), 50);
    ASSERT_FALSE(reader.ok());
    EXPECT_EQ(reader.error().kind(), ErrorKind::unavailable);
    EXPECT_THAT(reader.error().to_string(), HasSubstr("is in use by a command"));
    EXPECT_EQ(Database::open_to_write(root(), 50).error().kind(), ErrorKind::unavailable);
}

} // namespace
} // namespace runvm::state
