#include "vm/machine_size.h"

#include <gtest/gtest.h>

namespace runvm::vm {
namespace {

constexpr MachineSize basis{1, 2048};
constexpr MachineSize largest{4, 8000};
constexpr uint64_t gib = 1U << 30U;

uint64_t memory_mib(const std::vector<uint64_t>& limits) {
    std::vector<Demand> demands;
    for (uint64_t limit : limits)
        demands.push_back({0, 0, limit});
    return size_for(demands, basis, largest).memory_mib;
}

uint32_t vcpus(const std::vector<Demand>& demands) {
    return size_for(demands, basis, largest).vcpus;
}

TEST(MachineSize, HasRoomForTheLimitsAndTheGuest) {
    EXPECT_EQ(memory_mib({}), 2048U);
    EXPECT_EQ(memory_mib({0}), 2048U) << "no limit: as configured";
    EXPECT_EQ(memory_mib({0, 0}), 2048U);
    EXPECT_EQ(memory_mib({1U << 20U}), 256U) << "a guest has to boot";
    EXPECT_GT(memory_mib({gib}), 1024U + 112);
    EXPECT_LT(memory_mib({gib}), 1300U);
    EXPECT_GT(memory_mib({gib, gib}), 2048U + 112);
    EXPECT_GE(memory_mib({gib, 0}), 2048U + 1024U);
    EXPECT_EQ(size_for({{}}, {1, 128}, largest).memory_mib, 128U);
}

TEST(MachineSize, MemoryIsNeverMoreThanTheLargest) {
    EXPECT_EQ(memory_mib({uint64_t{1} << 50U}), 8000U);
    EXPECT_EQ(memory_mib({UINT64_MAX}), 8000U);
    EXPECT_EQ(memory_mib({UINT64_MAX, UINT64_MAX, 0}), 8000U);
}

TEST(MachineSize, HasTheCpusOfAllQuotasAndTheHighestOfASet) {
    EXPECT_EQ(vcpus({}), 1U);
    EXPECT_EQ(vcpus({{0, 0, 0}}), 1U);
    EXPECT_EQ(vcpus({{2, 0, 0}}), 2U);
    EXPECT_EQ(vcpus({{1, 0, 0}, {2, 0, 0}}), 3U);
    EXPECT_EQ(vcpus({{1, 3, 0}, {1, 2, 0}}), 3U);
    EXPECT_EQ(vcpus({{8192, 0, 0}}), 4U);
    EXPECT_EQ(vcpus({{UINT32_MAX, 0, 0}, {UINT32_MAX, 0, 0}}), 4U);
    EXPECT_EQ(size_for({{2, 0, 0}}, {3, 2048}, {1, 0}).vcpus, 3U) << "nothing is taken away";
}

} // namespace
} // namespace runvm::vm
