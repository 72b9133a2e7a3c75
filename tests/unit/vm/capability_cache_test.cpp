#include "vm/capability_cache.h"

#include "temporary_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace runvm::vm {
namespace {

class CapabilityCacheTest : public testing::Test {
protected:
    std::string root(int number) { return folder_ / ("root" + std::to_string(number)); }
    std::string in_root(int number) { return root(number) + "/cache/qemu/capabilities/a.xml"; }
    /// What libvirt does when it has to find out.
    void write_root(int number, const std::string& contents) {
        ASSERT_TRUE(os::make_folders(root(number) + "/cache/qemu/capabilities", 0755).ok());
        ASSERT_TRUE(os::write_file_atomically(in_root(number), contents, 0600, false).ok());
    }
    static std::string contents(const std::string& path) {
        auto text = os::read_file(path);
        return text ? *text : "(none)";
    }
    TemporaryFolder folder_;
    std::string shared_ = folder_ / "shared";
};

TEST_F(CapabilityCacheTest, KeepsWhatTheFirstFoundOut) {
    CapabilityCache first(shared_, root(1));
    first.fetch();
    write_root(1, "found");
    first.store();
    CapabilityCache second(shared_, root(2));
    second.fetch();
    EXPECT_EQ(contents(in_root(2)), "found");
}

TEST_F(CapabilityCacheTest, WritesOnlyWhatChanged) {
    ASSERT_TRUE(os::make_folders(shared_, 0755).ok());
    ASSERT_TRUE(os::write_file_atomically(shared_ + "/a.xml", "found", 0644, false).ok());
    struct stat before {};
    ASSERT_EQ(::stat((shared_ + "/a.xml").c_str(), &before), 0);
    CapabilityCache cache(shared_, root(1));
    cache.fetch();
    cache.store();
    struct stat after {};
    ASSERT_EQ(::stat((shared_ + "/a.xml").c_str(), &after), 0);
    EXPECT_EQ(before.st_ino, after.st_ino);

    cache.fetch();
    write_root(1, "newer");
    cache.store();
    EXPECT_EQ(contents(shared_ + "/a.xml"), "newer");
}

TEST_F(CapabilityCacheTest, OthersWaitForTheFirst) {
    CapabilityCache first(shared_, root(1));
    first.fetch();
    CapabilityCache second(shared_, root(2));
    std::thread waiting([&] { second.fetch(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    EXPECT_EQ(contents(in_root(2)), "(none)");
    write_root(1, "found");
    first.store();
    waiting.join();
    EXPECT_EQ(contents(in_root(2)), "found");
}

TEST_F(CapabilityCacheTest, OneThatDiesLetsTheNextFindOut) {
    {
        CapabilityCache first(shared_, root(1));
        first.fetch();
    }
    CapabilityCache second(shared_, root(2));
    second.fetch();
    write_root(2, "found");
    second.store();
    EXPECT_EQ(contents(shared_ + "/a.xml"), "found");
}

TEST_F(CapabilityCacheTest, LeavesOtherFilesAlone) {
    ASSERT_TRUE(os::make_folders(shared_, 0755).ok());
    ASSERT_TRUE(os::write_file_atomically(shared_ + "/notes.txt", "x", 0644, false).ok());
    CapabilityCache cache(shared_, root(1));
    cache.fetch();
    write_root(1, "found");
    cache.store();
    EXPECT_EQ(contents(root(1) + "/cache/qemu/capabilities/notes.txt"), "(none)");
    EXPECT_EQ(contents(shared_ + "/a.xml"), "found");
}

TEST_F(CapabilityCacheTest, FolderThatCannotBeHadIsNoFailure) {
    for (const char* shared : {"", "/proc/none", "/dev/null/none"}) {
        CapabilityCache cache(shared, root(1));
        cache.fetch();
        write_root(1, "found");
        cache.store();
    }
}

} // namespace
} // namespace runvm::vm
