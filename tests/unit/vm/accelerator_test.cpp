#include "vm/accelerator.h"

#include "temporary_folder.h"

#include <sys/stat.h>

namespace runvm::vm {
namespace {

TEST(Accelerator, TcgIsTakenAsAsked) {
    TemporaryFolder folder;
    auto choice = choose_accelerator("tcg", folder.path());
    ASSERT_TRUE(choice.ok());
    EXPECT_EQ(choice->name, "tcg");
}

TEST(Accelerator, RefusesAnUnknownOne) {
    TemporaryFolder folder;
    auto choice = choose_accelerator("hvf", folder.path());
    ASSERT_FALSE(choice.ok());
    EXPECT_EQ(choice.error().kind(), ErrorKind::invalid_argument);
}

TEST(Accelerator, AutoAgreesWithTheReport) {
    TemporaryFolder folder;
    KvmReport report = probe_kvm(folder.path());
    EXPECT_FALSE(report.reason.empty());
    auto choice = choose_accelerator("auto", folder.path());
    ASSERT_TRUE(choice.ok());
    EXPECT_EQ(choice->name, report.usable() ? "kvm" : "tcg");
    EXPECT_EQ(choice->reason, report.reason);
}

TEST(Accelerator, ForcedKvmNeedsTheDevice) {
    TemporaryFolder folder;
    auto choice = choose_accelerator("kvm", folder.path());
    if (probe_kvm(folder.path()).device_opens) {
        ASSERT_TRUE(choice.ok());
        EXPECT_EQ(choice->name, "kvm");
    } else {
        ASSERT_FALSE(choice.ok());
        EXPECT_NE(choice.error().message().find("/dev/kvm"), std::string::npos);
    }
}

TEST(Accelerator, RunFolderThatCannotBeMadeIsNoFailure) {
    auto choice = choose_accelerator("auto", "/proc/none");
    EXPECT_TRUE(choice.ok());
}

} // namespace
} // namespace runvm::vm
