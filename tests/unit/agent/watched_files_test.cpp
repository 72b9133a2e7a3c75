#include "agent/file_findings.h"
#include "agent/watched_files.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>

namespace runvm::agent {
namespace {

TEST(WatchedFiles, ReadsALineOfInotify) {
    auto inode = parse_inotify_line("inotify wd:2 ino:aaf271 sdev:80001e mask:fff ignored_mask:0 "
                                    "fhandle-bytes:c fhandle-type:81 f_handle:00ff00001200000000000001");
    ASSERT_TRUE(inode.has_value());
    EXPECT_EQ(inode->number, 0xaaf271U);
    EXPECT_EQ(inode->device, makedev(8, 0x1e));
    EXPECT_EQ(inode->handle_type, 0x81);
    EXPECT_EQ(inode->handle, std::string("\x00\xff\x00\x00\x12\x00\x00\x00\x00\x00\x00\x01", 12));
}

TEST(WatchedFiles, LinesThatSayNothing) {
    std::string many_digits(1000, 'a');
    for (const std::string& line : {std::string("pos:\t0"), std::string("inotify wd:1"), std::string(""),
                                    std::string("inotify wd:1 ino:5 sdev:1 mask:1 ignored_mask:0"),
                                    std::string("inotify ino:5 sdev:1 fhandle-type:81 f_handle:0"),
                                    std::string("inotify ino:5 sdev:1 fhandle-type:81 f_handle:zz"),
                                    std::string("inotify ino:x sdev:1 fhandle-type:81 f_handle:00"),
                                    "inotify ino:5 sdev:1 fhandle-type:81 f_handle:" + many_digits})
        EXPECT_FALSE(parse_inotify_line(line).has_value()) << line;
}

TEST(WatchedFiles, FindingsArriveAsTheyAre) {
    FileFindings findings;
    findings.unwatched = {3, 70000};
    findings.watched = {{{makedev(0, 31), 5, 0x81, std::string("\0\1", 2)}, "c/m0/a\nb"},
                        {{makedev(0, 32), 6, -1, "h"}, ""}};
    FileFindings arrived = decode(encode(findings));
    EXPECT_EQ(arrived.unwatched, findings.unwatched);
    ASSERT_EQ(arrived.watched.size(), 2U);
    for (size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(arrived.watched[i].inode, findings.watched[i].inode);
        EXPECT_EQ(arrived.watched[i].path, findings.watched[i].path);
    }
}

TEST(WatchedFiles, FindingsOfAHelperThatWasKilled) {
    FileFindings findings;
    findings.unwatched = {3};
    findings.watched = {{{1, 5, 0x81, "handle"}, "path"}};
    std::string bytes = encode(findings);
    for (size_t size = 0; size < bytes.size(); ++size)
        EXPECT_TRUE(decode(bytes.substr(0, size)).watched.empty()) << size;
    EXPECT_EQ(decode(bytes).watched.size(), 1U);
}

} // namespace
} // namespace runvm::agent
