// The tables of ps.

#include "oci/process_table.h"

#include "protocol/agent.capnp.h"

#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

namespace runvm::oci {
namespace {

using testing::HasSubstr;

class ProcessTableTest : public testing::Test {
public:
    ~ProcessTableTest() noexcept override = default; // kj's destructors may throw; gtest's may not

protected:
    ProcessTableTest() {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
        auto list = message.initRoot<protocol::Agent::ProcessesResults>().initProcesses(2);
        auto init = list[0];
        init.setPid(1);
        init.setState('S');
        init.setThreads(1);
        init.setAgeMs(100'000);
        init.setCpuMs(5'000);
        init.setVirtualBytes(4096U << 10U);
        init.setResidentBytes(1024U << 10U);
        init.setIsSessionLeader(true);
        init.setName("sh");
        init.setCommandLine("sh -c sleep 1000");
        auto child = list[1];
        child.setPid(17);
        child.setParentPid(1);
        child.setUid(1000);
        child.setState('R');
        child.setThreads(2);
        child.setNice(-5);
        child.setIsForeground(true);
        child.setTerminal(136U << 8U | 3U);
        child.setAgeMs(200'000'000);
        child.setCpuMs(100'000'000);
        child.setName("a\nb");
        processes = {list.asReader(), 64U << 20U, 1'700'000'000LL * 1'000'000'000LL}; // 2023-11-14T22:13:20Z
    }

    std::string table(const std::vector<std::string>& options) {
        auto made = process_table(processes, options);
        return made ? *made : "error: " + made.error().to_string();
    }

    capnp::MallocMessageBuilder message;
    GuestProcesses processes;
};

TEST_F(ProcessTableTest, WithoutOptionsItIsTheFullFormat) {
    EXPECT_EQ(table({}), table({"-ef"}));
    EXPECT_EQ(table({"-e", "-f"}), table({"-ef"}));
    EXPECT_THAT(table({"-ef"}), HasSubstr("UID  PID PPID  C STIME TTY"));
    EXPECT_THAT(table({"-ef"}), HasSubstr("00:00:05 sh -c sleep 1000\n"));
    EXPECT_THAT(table({"-ef"}), HasSubstr("1000  17    1 50 Nov12 pts/3"));
    EXPECT_THAT(table({"-ef"}), HasSubstr("1-03:46:40 [a?b]\n"));
}

TEST_F(ProcessTableTest, BsdFormat) {
    std::string made = table({"aux"});
    EXPECT_THAT(made, HasSubstr("USER PID %CPU %MEM  VSZ  RSS TTY   STAT"));
    EXPECT_THAT(made, HasSubstr("root   1  5.0  1.6 4096 1024 ?     Ss"));
    EXPECT_THAT(made, HasSubstr("R<l+"));
    EXPECT_EQ(made, table({"-aux"}));
}

TEST_F(ProcessTableTest, ColumnsOfChoice) {
    EXPECT_EQ(table({"-o", "pid,comm"}), "PID COMMAND\n  1 sh\n 17 a?b\n");
    EXPECT_EQ(table({"-opid", "-o", "ppid"}), "PID PPID\n  1    0\n 17    1\n");
    EXPECT_EQ(table({"-eo", "pid etime"}), "PID    ELAPSED\n  1      01:40\n 17 2-07:33:20\n");
    EXPECT_EQ(table({"-o", "pid,user=WHO IS IT"}), "PID WHO IS IT\n  1 root\n 17 1000\n");
}

TEST_F(ProcessTableTest, AnotherOptionGetsASentence) {
    for (const std::vector<std::string>& options :
         {std::vector<std::string>{"-Z"}, {"-o"}, {"--forest"}, {"x"}, {"-ef", "-q"}, {""}})
        EXPECT_THAT(table(options),
                    HasSubstr("is not known; allowed are -ef, aux and -o with a list of pid,"));
    EXPECT_THAT(table({"-o", "pid,nothing"}),
                HasSubstr("ps column `nothing` is not known; allowed are pid,"));
    EXPECT_THAT(table({"-o", "pid,,comm"}), HasSubstr("ps column `` is not known"));
}

TEST_F(ProcessTableTest, NothingOfTheGuestDrivesATerminal) {
    auto list = message.initRoot<protocol::Agent::ProcessesResults>().initProcesses(1);
    list[0].setState(0x1b);
    list[0].setName("\x1b[2J");
    list[0].setCommandLine("x\n\x9b\xc2\x9b y\x7f");
    list[0].setTerminal(0xffffffff);
    list[0].setAgeMs(UINT64_MAX);
    list[0].setCpuMs(UINT64_MAX);
    processes.list = list.asReader();
    for (const char* options : {"-ef", "aux"}) {
        std::string made = table({options});
        EXPECT_THAT(made, HasSubstr("x??? y?\n"));
        EXPECT_EQ(std::count(made.begin(), made.end(), '\n'), 2);
    }
    EXPECT_EQ(table({"-o", "s,comm"}), "S COMMAND\n? ?[2J\n");
}

TEST_F(ProcessTableTest, NoProcessNoRow) {
    EXPECT_EQ(*process_table({{}, 0, 0}, {"-o", "pid"}), "PID\n");
}

} // namespace
} // namespace runvm::oci
