// Against folders that look like cgroups (whose files keep what is longer than the text that is written);
// that the kernel takes what is written is tests/bats/cgroup.bats.

#include "cgroup/limits.h"

#include "../support/temporary_folder.h"
#include "os/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace runvm::cgroup {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

constexpr uint64_t mib = 1U << 20U;
constexpr Room room{300 * mib, 500 * mib};

class LimitsTest : public ::testing::Test {
protected:
    /// With the container's cgroup in "place" of each folder.
    Place place(bool v2) {
        Folders folders;
        for (const char* controllers : {"memory", "cpu,cpuacct", "cpuset", "blkio"})
            if (!v2)
                folders[controllers] = folder(controllers);
        if (v2)
            folders[""] = folder("v2");
        return Place(folders);
    }
    std::string folder(const std::string& controllers) {
        std::string path = folder_.path() + "/" + controllers + "/place";
        fs::create_directories(path);
        return path;
    }
    void put(const std::string& path, const std::string& text) {
        fs::create_directories(fs::path(folder_.path() + "/" + path).parent_path());
        std::ofstream(folder_.path() + "/" + path) << text << "\n";
    }
    std::string get(const std::string& path) {
        auto text = os::read_file(folder_.path() + "/" + path);
        return text ? text->substr(0, text->find('\n')) : text.error().to_string();
    }
    /// "FILE=VALUE", with ? behind an optional one.
    std::vector<std::string> written(const Limits& limits, bool v2, When when = When::at_once) {
        std::vector<std::string> list;
        for (const Setting& setting : settings_of(limits, room, place(v2), when))
            list.push_back(fs::path(setting.file).filename().string() + "=" + setting.value +
                           (setting.optional ? "?" : ""));
        return list;
    }

    test::TemporaryFolder folder_;
};

std::string mebibytes(int64_t number) {
    return std::to_string(number * static_cast<int64_t>(mib));
}

TEST_F(LimitsTest, NoneAreWrittenUnlessTheyAreSet) {
    for (bool v2 : {false, true}) {
        EXPECT_THAT(written({}, v2), ElementsAre());
        EXPECT_THAT(written({}, v2, When::when_created), ElementsAre());
    }
}

TEST_F(LimitsTest, MemoryHasTheMachinesRoom) {
    Limits limits;
    limits.memory_bytes = 100 * mib;
    limits.memory_swap_bytes = 130 * mib;
    limits.reservation_bytes = 40 * mib;
    EXPECT_THAT(written(limits, false), ElementsAre("memory.limit_in_bytes=" + mebibytes(800),
                                                    "memory.memsw.limit_in_bytes=" + mebibytes(830) + "?",
                                                    "memory.soft_limit_in_bytes=" + mebibytes(740)));
    EXPECT_THAT(written(limits, true),
                ElementsAre("memory.max=" + mebibytes(800), "memory.swap.max=" + mebibytes(30) + "?",
                            "memory.low=" + mebibytes(740)));
}

TEST_F(LimitsTest, MemoryWithoutALimit) {
    Limits limits;
    limits.memory_bytes = -1;
    limits.reservation_bytes = 40 * mib;
    EXPECT_THAT(written(limits, false),
                ElementsAre("memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1?",
                            "memory.soft_limit_in_bytes=" + mebibytes(540)));
    EXPECT_THAT(written(limits, true),
                ElementsAre("memory.max=max", "memory.swap.max=max?", "memory.low=" + mebibytes(540)));
}

TEST_F(LimitsTest, AQuotaIsForAContainerThatIsThere) {
    Limits limits;
    limits.cpu_shares = 512;
    limits.cpu_weight = 59;
    limits.cpu_quota_us = 75000;
    limits.cpu_period_us = 50000;
    EXPECT_THAT(written(limits, false), ElementsAre("cpu.shares=512"));
    EXPECT_THAT(written(limits, true), ElementsAre("cpu.weight=59"));
    EXPECT_THAT(written(limits, false, When::when_created),
                ElementsAre("cpu.cfs_quota_us=-1", "cpu.cfs_period_us=50000", "cpu.cfs_quota_us=75000"));
    EXPECT_THAT(written(limits, true, When::when_created), ElementsAre("cpu.max=75000 50000"));
    limits.cpu_quota_us = 100; // the guest's alone
    EXPECT_THAT(written(limits, true, When::when_created), ElementsAre("cpu.max=10000 50000"));
    limits.cpu_period_us = 0;
    EXPECT_THAT(written(limits, false, When::when_created),
                ElementsAre("cpu.cfs_quota_us=-1", "cpu.cfs_quota_us=20000"));
    limits.cpu_quota_us = -1;
    EXPECT_THAT(written(limits, false, When::when_created), ElementsAre("cpu.cfs_quota_us=-1"));
    EXPECT_THAT(written(limits, true, When::when_created), ElementsAre("cpu.max=max 100000"));
}

TEST_F(LimitsTest, CpusThatTheHostDoesNotHaveAreLeftOut) {
    Limits limits;
    limits.cpus = "1-2,7";
    limits.mems = "0";
    put("cpuset/cpuset.effective_cpus", "0-3");
    put("cpuset/cpuset.effective_mems", "0");
    EXPECT_THAT(written(limits, false), ElementsAre("cpuset.cpus=1,2", "cpuset.mems=0"));
    put("v2/cpuset.cpus.effective", "0,7");
    put("v2/cpuset.mems.effective", "1");
    EXPECT_THAT(written(limits, true), ElementsAre("cpuset.cpus=7"));
}

TEST(CommonNumbers, AreThoseOfBothLists) {
    EXPECT_EQ(common_numbers("0-3", "2-9"), "2,3");
    EXPECT_EQ(common_numbers("1", "0"), "");
    for (const char* list : {"x", "1-", "-1", "3-2", "0-99999", "1,,2", "0-3:1/2"})
        EXPECT_EQ(common_numbers(list, "0-9"), "") << list;
}

TEST_F(LimitsTest, BlockDevices) {
    Limits limits;
    limits.block_weight = 500;
    limits.block_weight_v2 = 4950;
    limits.device_weights = {{8, 0, 100}};
    limits.read_bytes = {{8, 0, 1000}};
    limits.write_bytes = {{8, 0, 0}};
    limits.read_operations = {{8, 16, 10}};
    limits.write_operations = {{8, 16, 11}};
    EXPECT_THAT(
        written(limits, false),
        ElementsAre("blkio.bfq.weight=500?", "blkio.bfq.weight_device=8:0 100",
                    "blkio.throttle.read_bps_device=8:0 1000", "blkio.throttle.write_bps_device=8:0 0",
                    "blkio.throttle.read_iops_device=8:16 10", "blkio.throttle.write_iops_device=8:16 11"));
    put("blkio/place/blkio.weight", "");
    EXPECT_THAT(written(limits, false), ::testing::Contains("blkio.weight=500?"));
    EXPECT_THAT(written(limits, true),
                ElementsAre("io.weight=default 4950?", "io.bfq.weight=8:0 100", "io.max=8:0 rbps=1000",
                            "io.max=8:0 wbps=max", "io.max=8:16 riops=10", "io.max=8:16 wiops=11"));
    put("v2/place/io.bfq.weight", "");
    EXPECT_THAT(written(limits, true), ::testing::Contains("io.bfq.weight=500?"));
}

TEST_F(LimitsTest, WhatTheHostDoesNotHaveIsLeftOut) {
    Limits limits;
    limits.memory_bytes = 1;
    limits.cpu_shares = 2;
    EXPECT_TRUE(settings_of(limits, room, Place(), When::at_once).empty());
    EXPECT_TRUE(settings_of(limits, room, Place({{"", "/u"}, {"pids", "/p"}}), When::at_once).empty());
}

TEST_F(LimitsTest, AnErrorNamesFileAndValue) {
    Limits limits;
    limits.cpu_shares = 2;
    auto applied = apply(settings_of(limits, room, place(false), When::at_once));
    ASSERT_FALSE(applied.ok());
    EXPECT_THAT(applied.error().to_string(), ::testing::HasSubstr("cpu.shares"));
    EXPECT_THAT(applied.error().to_string(), ::testing::HasSubstr("\"2\""));
    // Without swap accounting there is no such file.
    limits = {};
    limits.memory_bytes = 1;
    limits.memory_swap_bytes = -1;
    put("memory/place/memory.limit_in_bytes", "0");
    EXPECT_TRUE(apply(settings_of(limits, room, place(false), When::at_once)).ok());
}

class ChangeTest : public LimitsTest {
protected:
    void SetUp() override {
        put("v2/place/memory.max", mebibytes(900));
        put("v2/place/memory.current", mebibytes(100));
        put("v2/place/cpu.max", "max 100000");
        put("v2/place/cpu.weight", "100");
    }
};

TEST_F(ChangeTest, MoreMemoryComesFirstAndLessLast) {
    Limits limits;
    limits.memory_bytes = 500 * mib;
    Change more(limits, {700 * mib, 500 * mib}, place(true));
    ASSERT_TRUE(more.widen().ok());
    EXPECT_EQ(get("v2/place/memory.max"), mebibytes(1200));
    more.tighten();
    EXPECT_EQ(get("v2/place/memory.max"), mebibytes(1200));

    put("v2/place/memory.max", mebibytes(1200));
    Change less(limits, room, place(true));
    ASSERT_TRUE(less.widen().ok());
    EXPECT_EQ(get("v2/place/memory.max"), mebibytes(1200));
    less.tighten();
    EXPECT_THAT(get("v2/place/memory.max"), ::testing::StartsWith(mebibytes(800)));
}

TEST_F(ChangeTest, LessMemoryStaysAboveWhatIsUsed) {
    put("v2/place/memory.current", mebibytes(850));
    Limits limits;
    limits.memory_bytes = 500 * mib;
    Change(limits, room, place(true)).tighten();
    EXPECT_EQ(get("v2/place/memory.max"), mebibytes(914));
}

TEST_F(ChangeTest, IsTakenBack) {
    Limits limits;
    limits.memory_bytes = -1;
    limits.cpu_weight = limits.cpu_shares = 7;
    limits.cpu_quota_us = 50000;
    Change change(limits, room, place(true));
    ASSERT_TRUE(change.widen().ok());
    EXPECT_THAT(get("v2/place/memory.max"), ::testing::StartsWith("max"));
    EXPECT_THAT(get("v2/place/cpu.weight"), ::testing::StartsWith("7"));
    EXPECT_THAT(get("v2/place/cpu.max"), ::testing::StartsWith("50000 100000"));
    change.undo();
    EXPECT_EQ(get("v2/place/memory.max"), mebibytes(900));
    EXPECT_EQ(get("v2/place/cpu.weight"), "100");
    EXPECT_EQ(get("v2/place/cpu.max"), "max 100000");
}

TEST_F(ChangeTest, OfWhichAPartFailsIsTakenBack) {
    fs::remove(folder_.path() + "/v2/place/cpu.max");
    Limits limits;
    limits.memory_bytes = -1;
    limits.cpu_quota_us = 50000;
    Change change(limits, room, place(true));
    EXPECT_FALSE(change.widen().ok());
    EXPECT_EQ(get("v2/place/memory.max"), mebibytes(900));
}

} // namespace
} // namespace runvm::cgroup
