#include "sandbox/event_log.h"

#include <capnp/message.h>
#include <gtest/gtest.h>

namespace runvm::sandbox {
namespace {

class EventLineTest : public testing::Test {
public:
    ~EventLineTest() noexcept override = default; // kj's destructors may throw; gtest's may not

protected:
    EventLineTest() { event.setTimeNs(1'000'000'123'456'789); }

    capnp::MallocMessageBuilder message;
    protocol::Event::Builder event = message.initRoot<protocol::Event>();
};

TEST_F(EventLineTest, SaysWhenAndWhatHappenedToTheSandbox) {
    event.setBooted();
    EXPECT_EQ(event_line(event, "info"), "1970-01-12T13:46:40.123456789Z sandbox: booted\n");
    event.setVmExited("virtiofsd has ended");
    EXPECT_EQ(event_line(event, "info"),
              "1970-01-12T13:46:40.123456789Z sandbox: over: virtiofsd has ended\n");
}

TEST_F(EventLineTest, NamesTheContainer) {
    event.setContainerId("c1");
    auto exit = event.initProcessExited();
    exit.setValue(3);
    EXPECT_EQ(event_line(event, "info"), "1970-01-12T13:46:40.123456789Z container c1: exited with 3\n");
    exit.setSignaled(true);
    EXPECT_EQ(event_line(event, "info"), "1970-01-12T13:46:40.123456789Z container c1: killed by signal 3\n");
}

TEST_F(EventLineTest, TheLevelDecides) {
    event.setContainerId("c1");
    event.setContainerStarted();
    EXPECT_TRUE(event_line(event, "debug"));
    EXPECT_TRUE(event_line(event, "info"));
    EXPECT_FALSE(event_line(event, "warning"));
    EXPECT_FALSE(event_line(event, "error"));
    event.setExecId("exec-1");
    event.initProcessExited();
    EXPECT_EQ(event_line(event, "debug"),
              "1970-01-12T13:46:40.123456789Z container c1 process exec-1: exited with 0\n");
    EXPECT_FALSE(event_line(event, "info"));
}

} // namespace
} // namespace runvm::sandbox
