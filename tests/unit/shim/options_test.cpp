#include "shim/options.h"

#include <gtest/gtest.h>

namespace runvm::shim {
namespace {

using Direction = protocol::StreamBinding::Direction;

TEST(ShimOptions, InitGoesThereAndBack) {
    InitOptions options;
    options.rootfs = "/a=b/root fs";
    options.hostname = "name";
    options.new_network = true;
    options.join_fds = {5, 6};
    options.alive_fd = 3;
    options.ready_fd = 4;
    options.hold_fd = 7;
    auto parsed = parse_init_options(to_arguments(options));
    ASSERT_TRUE(parsed) << parsed.error().to_string();
    EXPECT_EQ(parsed->rootfs, options.rootfs);
    EXPECT_EQ(parsed->hostname, options.hostname);
    EXPECT_TRUE(parsed->new_network);
    EXPECT_EQ(parsed->join_fds, options.join_fds);
    EXPECT_EQ(parsed->alive_fd, 3);
    EXPECT_EQ(parsed->ready_fd, 4);
    EXPECT_EQ(parsed->hold_fd, 7);
}

TEST(ShimOptions, RunGoesThereAndBack) {
    RunOptions options;
    options.id = "c1";
    options.exec_id = "exec-1";
    options.monitor_fd = 10;
    options.alive_fd = 11;
    options.ready_fd = 12;
    options.init_fd = 13;
    options.terminal_fd = -1;
    options.memory_cgroup_fd = 16;
    options.proc_fd = 17;
    options.streams = {{0, 0, Direction::TO_PROCESS, 14}, {4, 4, Direction::BOTH, 15}};
    auto parsed = parse_run_options(to_arguments(options));
    ASSERT_TRUE(parsed) << parsed.error().to_string();
    EXPECT_EQ(parsed->id, "c1");
    EXPECT_EQ(parsed->exec_id, "exec-1");
    EXPECT_EQ(parsed->monitor_fd, 10);
    EXPECT_EQ(parsed->alive_fd, 11);
    EXPECT_EQ(parsed->ready_fd, 12);
    EXPECT_EQ(parsed->init_fd, 13);
    EXPECT_EQ(parsed->terminal_fd, -1);
    EXPECT_EQ(parsed->memory_cgroup_fd, 16);
    EXPECT_EQ(parsed->proc_fd, 17);
    ASSERT_EQ(parsed->streams.size(), 2U);
    EXPECT_EQ(parsed->streams[1].caller_fd, 4);
    EXPECT_EQ(parsed->streams[1].process_fd, 4U);
    EXPECT_EQ(parsed->streams[1].direction, Direction::BOTH);
    EXPECT_EQ(parsed->streams[1].pipe_fd, 15);
}

TEST(ShimOptions, RefusesWhatItDoesNotKnow) {
    for (const char* argument :
         {"--unknown=1", "id=c1", "--id", "--monitor-fd=x", "--stream=0:0:7:14", "--stream=0"})
        EXPECT_FALSE(parse_run_options({argument})) << argument;
    EXPECT_FALSE(parse_init_options({"--stream=0:0:0:3"}));
}

} // namespace
} // namespace runvm::shim
