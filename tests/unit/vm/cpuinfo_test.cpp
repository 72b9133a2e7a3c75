#include "vm/cpuinfo.h"

#include <gtest/gtest.h>

namespace runvm::vm {
namespace {

TEST(Cpuinfo, FindsTheFirstCpusFlags) {
    EXPECT_TRUE(cpuinfo_has_flag("processor\t: 0\nflags\t\t: fpu vmx sse\nbugs\t: x\n", "vmx"));
    EXPECT_TRUE(cpuinfo_has_flag("processor\t: 0\nflags\t\t: fpu svm", "svm"));
    EXPECT_FALSE(cpuinfo_has_flag("processor\t: 0\nflags\t\t: fpu sse\nvmx flags\t: vnmi vmx \n", "vmx"));
    EXPECT_FALSE(cpuinfo_has_flag("flags2: vmx\nflags", "vmx"));
    EXPECT_FALSE(cpuinfo_has_flag("\nflags\t: fpu vmxold\nx: vmx ", "vmx"));
    EXPECT_FALSE(cpuinfo_has_flag("\nflags without: no\nflags\n", "vmx"));
    EXPECT_FALSE(cpuinfo_has_flag("", "vmx"));
}

TEST(Cpuinfo, HostHasFlags) {
    EXPECT_TRUE(cpuinfo_has_flag(read_cpuinfo(), "fpu"));
}

TEST(Cpuinfo, MeasuresTheSameFrequencyTwice) {
    uint32_t first = measure_tsc_khz();
    uint32_t second = measure_tsc_khz();
    if (first == 0)
        GTEST_SKIP() << "the cpu's time stamp counter is not constant";
    EXPECT_GT(first, 100'000U);
    EXPECT_NEAR(first, second, first / 200.0);
}

} // namespace
} // namespace runvm::vm
