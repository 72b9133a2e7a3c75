// In the cgroups of this host; on cgroup v2 too: tests/bats/cgroup.bats runs this program in a guest.

#include "cgroup/limits.h"

#include "os/file.h"

#include <gtest/gtest.h>

#include <unistd.h>

namespace runvm::cgroup {
namespace {

constexpr uint64_t mib = 1U << 20U;

class RealLimits : public ::testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0)
            GTEST_SKIP() << "needs root";
        auto hierarchies = read_hierarchies();
        ASSERT_TRUE(hierarchies.ok());
        auto place = Place::at(*hierarchies, "/runvm-test-unit-" + std::to_string(::getpid()) + "-limits");
        ASSERT_TRUE(place.ok());
        auto made = place->make(*hierarchies);
        ASSERT_TRUE(made.ok()) << made.error().to_string();
        place_ = *place;
        if (place_.folder_of("memory").empty() || place_.folder_of("cpu").empty())
            GTEST_SKIP() << "no controllers";
    }
    void TearDown() override { EXPECT_TRUE(place_.remove().ok()); }
    std::string read(const char* controller, const char* v1, const char* v2) {
        auto text = os::read_file(place_.folder_of(controller) + "/" + (place_.is_unified() ? v2 : v1));
        return text ? text->substr(0, text->find('\n')) : text.error().to_string();
    }
    static Limits limits() {
        Limits limits;
        limits.memory_bytes = 100 * mib;
        limits.memory_swap_bytes = 150 * mib;
        limits.reservation_bytes = 40 * mib;
        limits.cpu_shares = 512;
        limits.cpu_weight = 59;
        limits.cpu_quota_us = 40000;
        limits.cpu_period_us = 50000;
        limits.cpus = "0";
        limits.mems = "0";
        limits.block_weight = 500;
        limits.block_weight_v2 = 4950;
        return limits;
    }

    Place place_;
    Room room_{300 * mib, 500 * mib};
};

TEST_F(RealLimits, AreTakenByTheKernel) {
    for (When when : {When::at_once, When::when_created}) {
        auto applied = apply(settings_of(limits(), room_, place_, when));
        ASSERT_TRUE(applied.ok()) << applied.error().to_string();
    }
    EXPECT_EQ(read("memory", "memory.limit_in_bytes", "memory.max"), std::to_string(800 * mib));
    EXPECT_EQ(read("memory", "memory.soft_limit_in_bytes", "memory.low"), std::to_string(740 * mib));
    EXPECT_EQ(read("cpu", "cpu.shares", "cpu.weight"), place_.is_unified() ? "59" : "512");
    EXPECT_EQ(read("cpu", "cpu.cfs_quota_us", "cpu.max"), place_.is_unified() ? "40000 50000" : "40000");
    EXPECT_EQ(read("cpuset", "cpuset.cpus", "cpuset.cpus"), "0");
}

TEST_F(RealLimits, AreChangedAndChangedBack) {
    ASSERT_TRUE(apply(settings_of(limits(), room_, place_, When::at_once)).ok());
    ASSERT_TRUE(apply(settings_of(limits(), room_, place_, When::when_created)).ok());
    Limits more = limits();
    more.memory_bytes = 900 * mib;
    more.memory_swap_bytes = 900 * mib;
    more.cpu_quota_us = 200000;
    more.cpu_period_us = 100000;
    Change change(more, {1100 * mib, 500 * mib}, place_);
    auto widened = change.widen();
    ASSERT_TRUE(widened.ok()) << widened.error().to_string();
    EXPECT_EQ(read("memory", "memory.limit_in_bytes", "memory.max"), std::to_string(1600 * mib));
    EXPECT_EQ(read("cpu", "cpu.cfs_quota_us", "cpu.max"), place_.is_unified() ? "200000 100000" : "200000");
    change.undo();
    EXPECT_EQ(read("memory", "memory.limit_in_bytes", "memory.max"), std::to_string(800 * mib));
    EXPECT_EQ(read("cpu", "cpu.cfs_quota_us", "cpu.max"), place_.is_unified() ? "40000 50000" : "40000");
    Limits none;
    none.memory_bytes = -1;
    none.cpu_quota_us = -1;
    Change lifted(none, room_, place_);
    auto written = lifted.widen();
    ASSERT_TRUE(written.ok()) << written.error().to_string();
    Change lowered(limits(), room_, place_);
    ASSERT_TRUE(lowered.widen().ok());
    lowered.tighten();
    EXPECT_EQ(read("memory", "memory.limit_in_bytes", "memory.max"), std::to_string(800 * mib));
}

} // namespace
} // namespace runvm::cgroup
