// What /proc says of processes.

#include "agent/process_list.h"

#include <gtest/gtest.h>

#include <unistd.h>

namespace runvm::agent {
namespace {

// A line of proc(5), whose name has a parenthesis and a space.
const char* const stat_line =
    "42 (a) b) S 1 42 42 34816 42 4194304 100 0 0 0 150 50 0 0 20 5 3 0 1000 4096000 25 18446744073709551615 "
    "1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n";

const char* const status_text =
    "Name:\tx\nUid:\t0\t1000\t0\t0\nGid:\t5\t6\t7\t8\nNStgid:\t42\t7\nNSpid:\t42\t7\n"
    "NSpgid:\t42\t3\nNSsid:\t41\t0\n";

TEST(ProcessListTest, ReadsStat) {
    ProcessInfo info;
    pid_t parent = 0;
    ASSERT_TRUE(parse_stat(stat_line, 60'000, info, parent));
    auto ticks_per_s = static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
    EXPECT_EQ(info.name, "a) b");
    EXPECT_EQ(info.state, 'S');
    EXPECT_EQ(parent, 1);
    EXPECT_EQ(info.terminal, 34816U);
    EXPECT_TRUE(info.is_session_leader);
    EXPECT_TRUE(info.is_foreground);
    EXPECT_EQ(info.cpu_ms, 200 * 1000 / ticks_per_s);
    EXPECT_EQ(info.nice, 5);
    EXPECT_EQ(info.threads, 3U);
    EXPECT_EQ(info.age_ms, 60'000 - 1000 * 1000 / ticks_per_s);
    EXPECT_EQ(info.virtual_bytes, 4096000U);
    EXPECT_EQ(info.resident_bytes, 25 * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)));
}

TEST(ProcessListTest, ReadsTheNumbersOfANamespace) {
    ProcessInfo info;
    ASSERT_TRUE(parse_status(status_text, 1, info));
    EXPECT_EQ(info.pid, 7U);
    EXPECT_EQ(info.group_id, 3U);
    EXPECT_EQ(info.session_id, 0U);
    EXPECT_EQ(info.uid, 1000U);
    EXPECT_EQ(info.gid, 6U);
    ASSERT_TRUE(parse_status(status_text, 0, info));
    EXPECT_EQ(info.pid, 42U);
    ASSERT_TRUE(parse_status(status_text, 2, info));
    EXPECT_EQ(info.pid, 0U);
}

TEST(ProcessListTest, WhatIsNoSuchFileIsRefused) {
    ProcessInfo info;
    pid_t parent = 0;
    for (const char* text : {"", "42", "42 (", "42 )a(", "42 (a) S", "42 (a) S 1 2 x"})
        EXPECT_FALSE(parse_stat(text, 0, info, parent)) << text;
    EXPECT_FALSE(parse_status("Name:\tx\n", 0, info));
}

TEST(ProcessListTest, ListsThoseThatAreThere) {
    constexpr pid_t nobody = 0x7fffffff;
    auto list = list_processes({::getpid(), nobody}, 0);
    ASSERT_EQ(list.size(), 1U);
    EXPECT_EQ(list[0].pid, static_cast<uint32_t>(::getpid()));
    EXPECT_NE(list[0].command_line.find("unit-agent"), std::string::npos);
    EXPECT_EQ(list[0].parent_pid, 0U); // it is not in the list
}

} // namespace
} // namespace runvm::agent
