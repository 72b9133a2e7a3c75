#include "vm/kernel_command_line.h"

#include <gtest/gtest.h>

namespace runvm::vm {
namespace {

bool has(const std::string& line, const std::string& option) {
    return (" " + line + " ").find(" " + option + " ") != std::string::npos;
}

TEST(KernelCommandLine, HasTheConsoleAndEndsOnPanic) {
    for (const char* accelerator : {"kvm", "tcg"}) {
        std::string line = kernel_command_line(accelerator, 1, "", 0);
        EXPECT_TRUE(has(line, "console=ttyS0")) << line;
        EXPECT_TRUE(has(line, "panic=-1")) << line;
    }
}

TEST(KernelCommandLine, MitigationsAreOffOnlyInAnEmulator) {
    EXPECT_TRUE(has(kernel_command_line("tcg", 1, "", 0), "mitigations=off"));
    EXPECT_FALSE(has(kernel_command_line("kvm", 1, "", 0), "mitigations=off"));
}

TEST(KernelCommandLine, OnlyAnEmulatorIsToldTheFrequency) {
    EXPECT_TRUE(has(kernel_command_line("tcg", 1, "", 2600000), "tsc_early_khz=2600000"));
    EXPECT_FALSE(has(kernel_command_line("tcg", 1, "", 0), "tsc=reliable"));
    EXPECT_FALSE(has(kernel_command_line("kvm", 1, "", 2600000), "tsc=reliable"));
}

TEST(KernelCommandLine, OnlyAnEmulatedMachineHasCpusThatItDoesNotUse) {
    EXPECT_TRUE(has(kernel_command_line("tcg", 2, "", 0), "maxcpus=2"));
    EXPECT_EQ(kernel_command_line("kvm", 2, "", 0).find("maxcpus"), std::string::npos);
}

TEST(KernelCommandLine, ConfigurationComesLast) {
    std::string line = kernel_command_line("kvm", 1, "panic=10 x=y", 0);
    EXPECT_GT(line.find("panic=10 x=y"), line.find("panic=-1"));
    EXPECT_EQ(line.substr(line.size() - 12), "panic=10 x=y");
}

} // namespace
} // namespace runvm::vm
