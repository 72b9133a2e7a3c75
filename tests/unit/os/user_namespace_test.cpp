#include "os/user_namespace.h"

#include "os/file.h"
#include "os/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>

namespace runvm::os {
namespace {

const IdMappings two_ranges{{{0, 100000, 65536}, {70000, 1, 1}}, {{0, 200000, 10}}};

TEST(UserNamespace, MapsAreTextOfTheKernelsForm) {
    EXPECT_EQ(id_map_text(two_ranges.uids), "0 100000 65536\n70000 1 1\n");
    EXPECT_EQ(id_map_text({}), "");
}

TEST(UserNamespace, AnIdIsFoundInItsRange) {
    EXPECT_EQ(to_host_id(two_ranges.uids, 0), 100000U);
    EXPECT_EQ(to_host_id(two_ranges.uids, 65535), 165535U);
    EXPECT_EQ(to_host_id(two_ranges.uids, 65536), std::nullopt);
    EXPECT_EQ(to_host_id(two_ranges.uids, 70000), 1U);
    EXPECT_EQ(to_host_id({}, 0), std::nullopt);
    EXPECT_EQ(to_host_id({{5, 4294967290, 5}}, 9), 4294967294U);
}

/// The words of /proc/self/uid_map, as a process in the namespace reads it.
std::string uid_map_inside(int user_namespace) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    pid_t pid = ::fork();
    if (pid == 0) {
        if (::setns(user_namespace, CLONE_NEWUSER) != 0)
            ::_exit(1);
        auto text = read_file("/proc/self/uid_map");
        ::_exit(text && write_all(ends[1], *text, "pipe") ? 0 : 2);
    }
    ::close(ends[1]);
    auto text = read_fd(ends[0], "pipe");
    ::close(ends[0]);
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
    std::istringstream words(text ? *text : "");
    std::string all;
    for (std::string word; words >> word;)
        all += word + " ";
    return all;
}

TEST(UserNamespace, IsMadeWithItsMappingsAndNoProcess) {
    if (::getuid() != 0)
        GTEST_SKIP() << "root is needed to map other ids than one's own";
    auto made = make_user_namespace(two_ranges);
    ASSERT_TRUE(made) << made.error().to_string();
    EXPECT_EQ(uid_map_inside(made->get()), "0 100000 65536 70000 1 1 ");
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
    EXPECT_EQ(errno, ECHILD);
}

TEST(UserNamespace, MappingsThatTheKernelRefusesAreAnError) {
    auto made = make_user_namespace({{{0, 1, 1}, {0, 2, 1}}, {{0, 1, 1}}});
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().to_string().find("uid_map"), std::string::npos);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

} // namespace
} // namespace runvm::os
