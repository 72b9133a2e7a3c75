#include "state/store.h"

#include "../support/temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <set>
#include <thread>

namespace runvm::state {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(CheckIdTest, AcceptsWhatRuncAccepts) {
    for (const char* id : {"a", "0", "test_busybox", "A.b-c+d_9", "..a", "...", "-a", "+", "_",
                           "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"})
        EXPECT_TRUE(check_id(id).ok()) << id;
    EXPECT_TRUE(check_id(std::string(255, 'a')).ok());
}

TEST(CheckIdTest, RefusesTheRest) {
    std::string with_nul("a\0b", 3);
    for (const std::string& id :
         {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("/"),
          std::string("../x"), std::string("a b"), std::string("a,b"), std::string("@sandboxes"),
          std::string("a\n"), std::string("\xc3\xa9"), std::string("a:b"), std::string("a*"), with_nul}) {
        auto checked = check_id(id);
        ASSERT_FALSE(checked.ok()) << id;
        EXPECT_EQ(checked.error().kind(), ErrorKind::invalid_argument);
        EXPECT_THAT(checked.error().to_string(), StartsWith("invalid container ID format"));
    }
}

TEST(CheckIdTest, SaysHowLongAnIdMayBe) {
    EXPECT_EQ(check_id(std::string(256, 'a')).error().to_string(),
              "invalid container ID format: it has 256 characters, at most 255 are allowed");
    EXPECT_FALSE(check_id(std::string(1024, 'a')).ok());
}

TEST(SandboxFolderTest, IsShortAndFixed) {
    // The name must not change between versions: running sandboxes are found by it. "a" is FNV-1a's published
    // value.
    EXPECT_EQ(sandbox_folder("/run/runvm", "a"), "/run/runvm/@sandboxes/af63dc4c8601ec8c");
    EXPECT_EQ(sandbox_folder("/run/runvm", ""), "/run/runvm/@sandboxes/cbf29ce484222325");
    EXPECT_EQ(sandbox_folder("/r", std::string(1000, 'x')).size(), std::string("/r/@sandboxes/").size() + 16);
    std::set<std::string> folders;
    for (int i = 0; i < 20'000; ++i)
        folders.insert(sandbox_folder("/r", "container-" + std::to_string(i)));
    EXPECT_EQ(folders.size(), 20'000U);
}

TEST(SandboxFolderTest, BelongsToOneSandbox) {
    test::TemporaryFolder root;
    std::string id(1000, 'x');
    auto folder = claim_sandbox_folder(root.path(), id);
    ASSERT_TRUE(folder.ok()) << folder.error().to_string();
    EXPECT_EQ(*folder, sandbox_folder(root.path(), id));
    struct stat info {};
    ASSERT_EQ(::stat(folder->c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0700U);
    EXPECT_TRUE(claim_sandbox_folder(root.path(), id).ok()) << "again by its own";

    // A collision is made by hand: the folder of "b" as if "a" had the same hash.
    std::string taken = sandbox_folder(root.path(), "b");
    std::filesystem::create_directories(taken);
    ASSERT_EQ(::symlink("a", (taken + "/id").c_str()), 0);
    auto collision = claim_sandbox_folder(root.path(), "b");
    ASSERT_FALSE(collision.ok());
    EXPECT_EQ(collision.error().kind(), ErrorKind::already_exists);
    EXPECT_THAT(collision.error().to_string(), HasSubstr("is that of sandbox a"));
}

TEST(SandboxFolderTest, ItsMachinesFolderGoesWithIt) {
    test::TemporaryFolder root;
    auto folder = claim_sandbox_folder(root.path(), "c1");
    ASSERT_TRUE(folder);
    auto machine = claim_machine_folder(root.path() + "/run", *folder);
    ASSERT_TRUE(machine);
    EXPECT_THAT(*machine, StartsWith(root.path() + "/run/machines/"));
    EXPECT_NE(*machine,
              *claim_machine_folder(root.path() + "/run", *claim_sandbox_folder(root.path(), "c2")));
    std::filesystem::create_directories(*machine + "/sockets");
    EXPECT_TRUE(remove_sandbox_folder(*folder));
    EXPECT_FALSE(std::filesystem::exists(*machine));
    EXPECT_FALSE(std::filesystem::exists(*folder));
    EXPECT_TRUE(remove_sandbox_folder(*folder)) << "there is none";
    // It may never have been made.
    ASSERT_TRUE(claim_machine_folder(root.path() + "/run", *claim_sandbox_folder(root.path(), "c1")));
    EXPECT_TRUE(remove_sandbox_folder(*folder));
}

TEST(SandboxFolderTest, IsLockedByOneAtATime) {
    test::TemporaryFolder root;
    std::string folder = sandbox_folder(root.path(), "c1");
    auto none = lock_sandbox(folder);
    ASSERT_TRUE(none) << none.error().to_string();
    EXPECT_FALSE(none->has_value()) << "there is no such sandbox";

    ASSERT_TRUE(claim_sandbox_folder(root.path(), "c1"));
    auto held = lock_sandbox(folder);
    ASSERT_TRUE(held && held->has_value());
    auto second = lock_sandbox(folder, 10);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind(), ErrorKind::timeout);
    EXPECT_THAT(second.error().to_string(), HasSubstr("sandbox " + folder + " is in use"));

    // The lock of a folder that has gone meanwhile would be nobody's: a later one is locked itself.
    std::thread successor([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        EXPECT_TRUE(remove_sandbox_folder(folder));
        EXPECT_TRUE(claim_sandbox_folder(root.path(), "c1"));
        held->reset();
    });
    auto later = lock_sandbox(folder);
    successor.join();
    ASSERT_TRUE(later && later->has_value());
    EXPECT_FALSE(lock_sandbox(folder, 10)) << "it is that of what is there now";
}

} // namespace
} // namespace runvm::state
