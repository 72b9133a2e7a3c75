// The calls themselves are tests/bats/cgroup-systemd.bats.

#include "cgroup/systemd/unit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runvm::cgroup::systemd {
namespace {

using ::testing::ElementsAre;

std::string path(const std::string& slice, const std::string& unit = "u.scope") {
    auto found = path_of_unit(slice, unit);
    return found ? *found : found.error().message();
}

TEST(PathOfUnit, IsThatOfItsSlices) {
    EXPECT_EQ(path("system.slice"), "/system.slice/u.scope");
    EXPECT_EQ(path("a-b-c.slice"), "/a.slice/a-b.slice/a-b-c.slice/u.scope");
    EXPECT_EQ(path("-.slice"), "/u.scope");
}

TEST(PathOfUnit, IsRefusedInRuncsWords) {
    for (const char* slice : {"", ".slice", "a", "a/b.slice", "-a.slice", "a--b.slice", "a-.slice"})
        EXPECT_EQ(path(slice), std::string("invalid slice name: ") + slice);
    EXPECT_EQ(path("a.slice", "../x.scope"), "invalid unit name: ../x.scope");
    EXPECT_EQ(path("a.slice", ""), "invalid unit name: ");
}

std::vector<std::string> properties(const std::vector<Setting>& settings) {
    struct Text {
        std::string operator()(bool value) const { return value ? "true" : "false"; }
        std::string operator()(uint64_t value) const {
            return value == UINT64_MAX ? "infinity" : std::to_string(value);
        }
        std::string operator()(const std::string& value) const { return value; }
        std::string operator()(const std::vector<std::string>&) const { return "?"; }
        std::string operator()(const std::vector<uint32_t>&) const { return "?"; }
        std::string operator()(const std::vector<uint8_t>& values) const {
            std::string text;
            for (uint8_t value : values)
                text += std::to_string(value) + " ";
            return text;
        }
    };
    std::vector<std::string> list;
    for (const Property& property : properties_of(settings))
        list.push_back(property.name + "=" + std::visit(Text(), property.value));
    return list;
}

TEST(PropertiesOf, LimitsOfV1) {
    EXPECT_THAT(properties({{"/m/memory.limit_in_bytes", "1000"},
                            {"/m/memory.memsw.limit_in_bytes", "1000"},
                            {"/c/cpu.shares", "512"},
                            {"/c/cpu.cfs_quota_us", "-1"},
                            {"/c/cpu.cfs_period_us", "50000"},
                            {"/c/cpu.cfs_quota_us", "60100"},
                            {"/s/cpuset.cpus", "0,2,9"},
                            {"/b/blkio.bfq.weight", "500"},
                            {"/b/blkio.throttle.read_bps_device", "8:0 1"}}),
                ElementsAre("MemoryLimit=1000", "CPUShares=512", "AllowedCPUs=5 2 ", "BlockIOWeight=500",
                            "CPUQuotaPeriodUSec=50000", "CPUQuotaPerSecUSec=1210000"));
    EXPECT_THAT(properties({{"/m/memory.limit_in_bytes", "-1"}, {"/c/cpu.cfs_quota_us", "-1"}}),
                ElementsAre("MemoryLimit=infinity", "CPUQuotaPerSecUSec=infinity"));
}

TEST(PropertiesOf, LimitsOfV2) {
    EXPECT_THAT(properties({{"/u/memory.max", "max"},
                            {"/u/memory.swap.max", "0"},
                            {"/u/memory.low", "7"},
                            {"/u/cpu.weight", "59"},
                            {"/u/cpu.max", "150000 100000"},
                            {"/u/cpuset.mems", "0"}}),
                ElementsAre("MemoryMax=infinity", "MemorySwapMax=0", "MemoryLow=7", "CPUWeight=59",
                            "AllowedMemoryNodes=1 ", "CPUQuotaPeriodUSec=100000",
                            "CPUQuotaPerSecUSec=1500000"));
    EXPECT_THAT(properties({{"/u/cpu.max", "max 100000"}}),
                ElementsAre("CPUQuotaPeriodUSec=100000", "CPUQuotaPerSecUSec=infinity"));
    EXPECT_THAT(properties({}), ElementsAre());
}

} // namespace
} // namespace runvm::cgroup::systemd
