#include "vm/initrd.h"

#include "../support/temporary_folder.h"
#include "os/file.h"

#include <gtest/gtest.h>

namespace runvm::vm {
namespace {

uint32_t field(const std::string& archive, size_t header, int index) {
    return static_cast<uint32_t>(
        std::stoul(archive.substr(header + 6 + static_cast<size_t>(index) * 8, 8), nullptr, 16));
}

// Documentation/driver-api/early-userspace/buffer-format.rst
TEST(Initrd, ArchiveIsWhatTheKernelReads) {
    std::string archive = cpio_of_file("etc/runvm/secret", "0123456");
    ASSERT_EQ(archive.substr(0, 6), "070701");
    EXPECT_EQ(field(archive, 0, 1), 0100400U) << "a regular file, for root to read";
    EXPECT_EQ(field(archive, 0, 6), 7U);
    EXPECT_EQ(field(archive, 0, 11), 17U) << "the name's size, with its end";
    EXPECT_STREQ(archive.c_str() + 110, "etc/runvm/secret");
    size_t content = 128; // 110 + 17, on a multiple of 4
    EXPECT_EQ(archive.substr(content, 7), "0123456");
    size_t trailer = content + 8;
    ASSERT_EQ(archive.substr(trailer, 6), "070701");
    EXPECT_STREQ(archive.c_str() + trailer + 110, "TRAILER!!!");
    EXPECT_EQ(archive.size() % 4, 0U);
}

TEST(Initrd, CopyHasTheArchiveOnAMultipleOfFour) {
    test::TemporaryFolder folder;
    std::string image = folder.path() + "/image";
    std::string copy = folder.path() + "/copy";
    ASSERT_TRUE(os::write_file_atomically(image, "abcde", 0644, false));
    ASSERT_TRUE(copy_initrd_with(image, copy, "ARCHIVE"));
    EXPECT_EQ(*os::read_file(copy), std::string("abcde\0\0\0ARCHIVE", 15));
    EXPECT_EQ(*os::read_file(image), "abcde");
    EXPECT_FALSE(copy_initrd_with(folder.path() + "/none", copy, "x"));
}

} // namespace
} // namespace runvm::vm
