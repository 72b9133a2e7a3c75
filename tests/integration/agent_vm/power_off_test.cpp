// The end of the machine.

#include "agent_calls.h"

#include <gtest/gtest.h>

namespace runvm::test {

// CMakeLists.txt links this file last, as the machine is gone after it.
TEST(AgentVm, ZPowersOff) {
    vm->add_rootfs("last");
    auto container = container_request("last", {"sleep", "1000"});
    EXPECT_FALSE(create(container).failed);
    wait_for(vm->agent().powerOffRequest().send());
    EXPECT_TRUE(vm->wait_for_qemu());
}

} // namespace runvm::test
