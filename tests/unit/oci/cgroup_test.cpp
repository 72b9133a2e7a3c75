#include "oci/cgroup.h"

#include <gtest/gtest.h>

namespace runvm::oci {
namespace {

std::string placed(const std::string& text, bool systemd) {
    auto cgroup = parse_cgroups_path(text, "c1", systemd);
    return cgroup ? to_string(*cgroup) : cgroup.error().to_string();
}

TEST(CgroupsPath, IsAPathWithoutSystemd) {
    EXPECT_EQ(placed("/docker/abc", false), "/docker/abc");
    EXPECT_EQ(placed("pods/abc/", false), "pods/abc");
    EXPECT_EQ(placed("", false), "c1");
    EXPECT_EQ(placed("a:b:c", false), "a:b:c");
}

TEST(CgroupsPath, StaysInsideItsHierarchy) {
    EXPECT_EQ(placed("/../../x", false), "/x");
    EXPECT_EQ(placed("../../x", false), "x");
    EXPECT_EQ(placed("/a/../..", false), "/");
}

TEST(CgroupsPath, IsASliceAndAScopeWithSystemd) {
    EXPECT_EQ(placed("machine.slice:libpod:abc", true), "libpod-abc.scope in machine.slice");
    EXPECT_EQ(placed(":docker:abc", true), "docker-abc.scope in system.slice");
    EXPECT_EQ(placed("user.slice::abc", true), "abc.scope in user.slice");
    EXPECT_EQ(placed("", true), "runvm-c1.scope in system.slice");
}

TEST(CgroupsPath, IsRefusedInRuncsWordsWithSystemd) {
    EXPECT_NE(placed("/docker/abc", true)
                  .find("expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got "
                        "\"/docker/abc\" instead"),
              std::string::npos);
    EXPECT_FALSE(parse_cgroups_path("a:b:c:d", "c1", true));
}

} // namespace
} // namespace runvm::oci
