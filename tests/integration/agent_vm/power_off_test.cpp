// The end of the machine.

#include "agent_calls.h"

#include <gtest/gtest.h>

namespace runvm::test {

namespace {

class PowerOffTest : public testing::Test {
public:
    void TestBody() override {
        vm->add_rootfs("last");
        auto container = container_request("last", {"sleep", "1000"});
        EXPECT_FALSE(create(container).failed);
        wait_for(vm->agent().powerOffRequest().send());
        EXPECT_TRUE(vm->wait_for_qemu());
    }
};

} // namespace

// The order of static initialisation, which is that of other tests, is each linker's own.
void register_power_off_test() {
    testing::RegisterTest("AgentVmEnd", "PowersOff", nullptr, nullptr, __FILE__, __LINE__,
                          []() -> testing::Test* { return new PowerOffTest; });
}

} // namespace runvm::test
