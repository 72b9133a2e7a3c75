#include "cgroup/hierarchy.h"

#include <gtest/gtest.h>

namespace runvm::cgroup {
namespace {

std::string text_of(const std::vector<Hierarchy>& hierarchies) {
    std::string text;
    for (const Hierarchy& one : hierarchies)
        text += one.controllers + "|" + one.mount + "|" + one.own + "\n";
    return text;
}

TEST(Hierarchies, OfCgroupV1) {
    auto found = parse_hierarchies("31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
                                   "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:7 - cgroup cgroup "
                                   "rw,cpu,cpuacct\n"
                                   "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                                   "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup "
                                   "rw,xattr,name=systemd\n",
                                   "4:memory:/a/b\n3:cpu,cpuacct:/\n2:pids:/x\n1:name=systemd:/user.slice\n");
    EXPECT_EQ(text_of(found), "memory|/sys/fs/cgroup/memory|/sys/fs/cgroup/memory/a/b\n"
                              "cpu,cpuacct|/sys/fs/cgroup/cpu,cpuacct|/sys/fs/cgroup/cpu,cpuacct\n"
                              "name=systemd|/sys/fs/cgroup/systemd|/sys/fs/cgroup/systemd/user.slice\n")
        << "pids is not mounted";
    EXPECT_FALSE(is_unified(found));
}

TEST(Hierarchies, OfCgroupV2AndHybrid) {
    std::string v2 = "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
    auto unified = parse_hierarchies(v2, "0::/user.slice/a\n");
    EXPECT_EQ(text_of(unified), "|/sys/fs/cgroup|/sys/fs/cgroup/user.slice/a\n");
    EXPECT_TRUE(is_unified(unified));

    auto hybrid =
        parse_hierarchies(v2 + "35 31 0:32 / /m rw - cgroup cgroup rw,memory\n", "0::/\n1:memory:/\n");
    EXPECT_EQ(text_of(hybrid), "memory|/m|/m\n|/sys/fs/cgroup|/sys/fs/cgroup\n") << "v2 last";
    EXPECT_FALSE(is_unified(hybrid));
    // systemd's own is no controller.
    EXPECT_TRUE(is_unified(parse_hierarchies(v2 + "40 31 0:37 / /s rw - cgroup cgroup rw,name=systemd\n",
                                             "1:name=systemd:/\n0::/\n")));
    EXPECT_FALSE(is_unified({}));
}

TEST(Hierarchies, OfWhichAPartIsMounted) {
    std::string mount = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
    EXPECT_EQ(text_of(parse_hierarchies(mount, "4:memory:/docker/abc/x\n")),
              "memory|/sys/fs/cgroup/memory|/sys/fs/cgroup/memory/x\n");
    EXPECT_EQ(text_of(parse_hierarchies(mount, "4:memory:/docker/abc\n")),
              "memory|/sys/fs/cgroup/memory|/sys/fs/cgroup/memory\n");
    EXPECT_EQ(text_of(parse_hierarchies(mount, "4:memory:/docker/abcd\n")), "memory|/sys/fs/cgroup/memory|\n")
        << "this process is not in what is mounted";
}

TEST(Hierarchies, ReadNamesAsTheyAre) {
    EXPECT_EQ(text_of(parse_hierarchies("35 31 0:32 / /a\\040b\\134 rw - cgroup cgroup rw,memory\n",
                                        "4:memory:/c d:e\n")),
              "memory|/a b\\|/a b\\/c d:e\n");
    EXPECT_EQ(text_of(parse_hierarchies("35 31 0:32 / /m rw - cgroup cgroup rw,memory\n"
                                        "36 31 0:32 /x /bind rw - cgroup cgroup rw,memory\n",
                                        "4:memory:/\n")),
              "memory|/m|/m\n")
        << "the first mount counts";
    EXPECT_EQ(text_of(parse_hierarchies("nonsense\n\n - \n", "nonsense\n::\n")), "");
}

TEST(Hierarchies, OfThisHostCanBeRead) {
    auto found = read_hierarchies();
    ASSERT_TRUE(found.ok()) << found.error().to_string();
    for (const Hierarchy& one : *found)
        EXPECT_TRUE(one.mount.starts_with("/")) << one.controllers;
}

} // namespace
} // namespace runvm::cgroup
