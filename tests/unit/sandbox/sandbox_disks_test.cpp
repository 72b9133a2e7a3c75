#include "sandbox_fixture.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace runvm::sandbox {
namespace {

using testing::Contains;
using testing::HasSubstr;

class SandboxDisksTest : public SandboxTest {
protected:
    ~SandboxDisksTest() noexcept override = default; // kj's destructors may throw; gtest's may not

    // A container with /dev/one, which it may only read, /dev/two, and a node that is no disk.
    Promised<void> begin_create_with_disks(const std::string& id) {
        capnp::MallocMessageBuilder message;
        auto container = message.initRoot<protocol::Container>();
        auto devices = container.initDevices(3);
        devices[0].setPath("/dev/one");
        devices[1].setPath("/dev/two");
        devices[2].setPath("/dev/null");
        for (unsigned i : {0, 1}) {
            devices[i].setType('b');
            devices[i].setMajor(8);
            devices[i].setMinor(i);
            devices[i].setIsHostDisk(true);
        }
        devices[0].setReadonly(true);
        return sandbox.create_container(id, container, {}, take_output_stream());
    }
};

TEST_F(SandboxDisksTest, DisksArePluggedAndTheGuestIsToldWhichIsWhich) {
    ASSERT_TRUE(boot());
    auto created = wait(begin_create_with_disks("c1"));
    ASSERT_TRUE(created) << created.error().to_string();
    std::string one = script.disks["/dev/one"];
    std::string two = script.disks["/dev/two"];
    EXPECT_NE(one, two);
    EXPECT_EQ(script.disks["/dev/null"], "");
    EXPECT_THAT(machine.calls, Contains("plug " + one + " readonly"));
    EXPECT_THAT(machine.calls, Contains("plug " + two));
}

TEST_F(SandboxDisksTest, TheyGoWithTheContainer) {
    ASSERT_TRUE(boot());
    create("other"); // without one the machine would go
    ASSERT_TRUE(wait(begin_create_with_disks("c1")));
    ASSERT_TRUE(wait(sandbox.delete_container("c1")));
    settle();
    EXPECT_THAT(machine.calls, Contains("unplug " + script.disks["/dev/one"]));
    EXPECT_THAT(machine.calls, Contains("unplug " + script.disks["/dev/two"]));
}

TEST_F(SandboxDisksTest, TwoContainersHaveDisksOfTheirOwn) {
    ASSERT_TRUE(boot());
    ASSERT_TRUE(wait(begin_create_with_disks("c1")));
    std::string first = script.disks["/dev/one"];
    ASSERT_TRUE(wait(begin_create_with_disks("c2")));
    EXPECT_NE(script.disks["/dev/one"], first);
}

TEST_F(SandboxDisksTest, OneThatCannotBePluggedFailsTheCreateAndIsTakenAway) {
    machine.disk_error = Error(ErrorKind::unavailable, "in use");
    ASSERT_TRUE(boot());
    create("other");
    auto created = wait(begin_create_with_disks("c1"));
    ASSERT_FALSE(created);
    EXPECT_THAT(created.error().to_string(), HasSubstr("give the machine /dev/one"));
    EXPECT_THAT(created.error().to_string(), HasSubstr("in use"));
    settle();
    EXPECT_EQ(std::count_if(machine.calls.begin(), machine.calls.end(),
                            [](const std::string& call) { return call.starts_with("unplug "); }),
              1);
    EXPECT_EQ(script.disks.count("/dev/one"), 0U) << "the guest was asked to make it";
}

} // namespace
} // namespace runvm::sandbox
