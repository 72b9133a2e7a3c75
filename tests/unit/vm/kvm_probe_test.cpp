#include "vm/kvm_probe.h"

#include <gtest/gtest.h>

#include <unistd.h>

namespace runvm::vm {
namespace {

TEST(KvmProbe, RunsOrSaysHowFarItCame) {
    auto outcome = run_kvm_probe();
    if (::access("/dev/kvm", R_OK | W_OK) != 0) {
        ASSERT_FALSE(outcome.ok());
        EXPECT_NE(outcome.error().message().find("did not run"), std::string::npos)
            << outcome.error().message();
    } else if (!outcome.ok()) {
        EXPECT_EQ(outcome.error().message().rfind("a test guest ", 0), 0U) << outcome.error().message();
    }
}

} // namespace
} // namespace runvm::vm
