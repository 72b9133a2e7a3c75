#include "agent/mount_attributes.h"

#include <gtest/gtest.h>

namespace runvm::agent {
namespace {

TEST(MountAttributes, SetsAndClears) {
    mount_attr attributes = mount_attributes(MS_RDONLY | MS_NOSUID, MS_NODEV | MS_NOEXEC);
    EXPECT_EQ(attributes.attr_set, static_cast<uint64_t>(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID));
    EXPECT_EQ(attributes.attr_clr, static_cast<uint64_t>(MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
}

TEST(MountAttributes, LetsSetWinOverCleared) {
    mount_attr attributes = mount_attributes(MS_RDONLY, MS_RDONLY);
    EXPECT_EQ(attributes.attr_set, static_cast<uint64_t>(MOUNT_ATTR_RDONLY));
    EXPECT_EQ(attributes.attr_clr, 0U);
}

TEST(MountAttributes, ClearsTheOtherAccessTimeModes) {
    EXPECT_EQ(mount_attributes(MS_NOATIME, 0).attr_clr, static_cast<uint64_t>(MOUNT_ATTR__ATIME));
    EXPECT_EQ(mount_attributes(MS_NOATIME, 0).attr_set, static_cast<uint64_t>(MOUNT_ATTR_NOATIME));
    EXPECT_EQ(mount_attributes(MS_STRICTATIME, 0).attr_set, static_cast<uint64_t>(MOUNT_ATTR_STRICTATIME));
    EXPECT_EQ(mount_attributes(0, MS_NOATIME).attr_clr, static_cast<uint64_t>(MOUNT_ATTR__ATIME));
    EXPECT_EQ(mount_attributes(0, MS_NOATIME).attr_set, 0U);
    EXPECT_EQ(mount_attributes(MS_BIND | MS_REC, 0).attr_clr, 0U);
}

TEST(FilesystemFlags, NamesThoseOfTheFilesystem) {
    EXPECT_EQ(filesystem_flags(MS_SYNCHRONOUS | MS_LAZYTIME | MS_RDONLY),
              (std::vector<std::string>{"sync", "lazytime"}));
}

TEST(FilesystemOptions, AreTakenApart) {
    auto options = parse_filesystem_options("mode=755,newinstance,,size=64k,context=a=b");
    ASSERT_EQ(options.size(), 4U);
    EXPECT_EQ(options[0].key, "mode");
    EXPECT_EQ(options[0].value, "755");
    EXPECT_TRUE(options[0].has_value);
    EXPECT_EQ(options[1].key, "newinstance");
    EXPECT_FALSE(options[1].has_value);
    EXPECT_EQ(options[2].value, "64k");
    EXPECT_EQ(options[3].value, "a=b");
    EXPECT_TRUE(parse_filesystem_options("").empty());
    EXPECT_EQ(parse_filesystem_options("lowerdir=/a\\,b,x")[0].value, "/a\\,b");
}

} // namespace
} // namespace runvm::agent
