// Pausing containers, and the machine with the last of them.

#include "sandbox_fixture.h"

#include <gmock/gmock.h>

#include <csignal>

namespace runvm::sandbox {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using State = protocol::SandboxState;

class SandboxPauseTest : public SandboxTest {
protected:
    Promised<void> begin_exec(const std::string& exec_id) {
        capnp::MallocMessageBuilder message;
        return sandbox.exec("c1", exec_id, message.initRoot<protocol::Process>(), "", {});
    }
};

TEST_F(SandboxPauseTest, PausesAndResumes) {
    ASSERT_TRUE(boot());
    create("c1");
    EXPECT_TRUE(wait(sandbox.pause()));
    EXPECT_EQ(sandbox.state(), State::PAUSED);
    EXPECT_EQ(wait(sandbox.pause()).error().kind(), ErrorKind::wrong_state);
    EXPECT_TRUE(wait(sandbox.resume()));
    EXPECT_EQ(sandbox.state(), State::RUNNING);
    EXPECT_EQ(wait(sandbox.resume()).error().kind(), ErrorKind::wrong_state);
}

TEST_F(SandboxPauseTest, TheMachineIsSuspendedWhenAllContainersArePaused) {
    ASSERT_TRUE(boot());
    create("c1");
    create("c2");
    EXPECT_TRUE(wait(sandbox.pause_container("c1")));
    EXPECT_EQ(sandbox.containers().at("c1").state(), protocol::ContainerStatus::State::PAUSED);
    EXPECT_EQ(sandbox.state(), State::RUNNING);
    EXPECT_TRUE(wait(sandbox.pause_container("c2")));
    EXPECT_EQ(sandbox.state(), State::PAUSED);
    EXPECT_TRUE(wait(sandbox.pause_container("c2")));
    settle();
    EXPECT_EQ(sandbox.state(), State::PAUSED);

    script.calls.clear();
    EXPECT_TRUE(wait(sandbox.resume_container("c2")));
    EXPECT_EQ(script.calls, (std::vector<std::string>{"setClock of now", "thaw c2"}));
    settle();
    EXPECT_EQ(sandbox.state(), State::RUNNING);
    EXPECT_EQ(sandbox.containers().at("c2").state(), protocol::ContainerStatus::State::CREATED);
    EXPECT_EQ(wait(sandbox.pause_container("c3")).error().kind(), ErrorKind::not_found);
}

TEST_F(SandboxPauseTest, ACallLetsASuspendedMachineRunForItsTime) {
    ASSERT_TRUE(boot());
    create("c1");
    ASSERT_TRUE(wait(sandbox.pause_container("c1")));
    machine.calls.clear();
    script.calls.clear();
    EXPECT_TRUE(wait(sandbox.signal("c1", "", SIGTERM, false)));
    settle();
    EXPECT_EQ(script.calls, (std::vector<std::string>{"setClock of now", "signal 15"}));
    EXPECT_EQ(machine.calls, (std::vector<std::string>{"resume", "suspend"}));
    EXPECT_EQ(sandbox.state(), State::PAUSED);
}

TEST_F(SandboxPauseTest, AContainerThatCannotBePausedRunsOn) {
    ASSERT_TRUE(boot());
    create("c1");
    script.errors.emplace("freeze", Error(ErrorKind::timeout, "not all of them stopped"));
    EXPECT_EQ(wait(sandbox.pause_container("c1")).error().kind(), ErrorKind::timeout);
    settle();
    EXPECT_EQ(sandbox.state(), State::RUNNING);
    EXPECT_EQ(sandbox.containers().at("c1").state(), protocol::ContainerStatus::State::CREATED);
}

TEST_F(SandboxPauseTest, TheMachineRunsUntilAKilledContainerIsDead) {
    ASSERT_TRUE(boot());
    create("c1");
    ASSERT_TRUE(sandbox.commit("c1"));
    ASSERT_TRUE(wait(sandbox.pause_container("c1")));
    ASSERT_TRUE(wait(sandbox.signal("c1", "", SIGKILL, false)));
    settle();
    EXPECT_EQ(sandbox.state(), State::RUNNING);
    script.exit("c1/");
    settle();
    EXPECT_EQ(sandbox.containers().at("c1").state(), protocol::ContainerStatus::State::STOPPED);
}

TEST_F(SandboxPauseTest, AnExecInAPausedContainerWaitsForItsResume) {
    ASSERT_TRUE(boot());
    create("c1");
    ASSERT_TRUE(wait(sandbox.pause_container("c1")));
    auto entered = begin_exec("e1");
    auto dropped = begin_exec("e2");
    auto shim = *wait(sandbox.find_process("c1", "e1"));
    ASSERT_TRUE(wait(sandbox.signal("c1", "e2", SIGTERM, false)));
    EXPECT_EQ(wait(kj::mv(dropped)).error().kind(), ErrorKind::unavailable);
    EXPECT_THAT(script.calls, Not(Contains("exec e1")));
    EXPECT_FALSE(shim->ended());
    ASSERT_TRUE(wait(sandbox.resume_container("c1")));
    EXPECT_TRUE(wait(kj::mv(entered)));
    EXPECT_THAT(script.calls, Contains("exec e1"));
    EXPECT_THAT(script.calls, Not(Contains("exec e2")));
}

TEST_F(SandboxPauseTest, AnExecThatWaitsForAResumeEndsWithItsShimOrItsContainer) {
    ASSERT_TRUE(boot());
    create("c1");
    ASSERT_TRUE(wait(sandbox.pause_container("c1")));
    auto left = begin_exec("e1");
    auto shim = *wait(sandbox.find_process("c1", "e1"));
    sandbox.attach(*shim);
    sandbox.detach(shim);
    EXPECT_EQ(wait(kj::mv(left)).error().kind(), ErrorKind::unavailable);

    auto ended = begin_exec("e2");
    script.exit("c1/");
    EXPECT_EQ(wait(kj::mv(ended)).error().kind(), ErrorKind::process_finished);
    EXPECT_THAT(script.calls, Not(Contains(HasSubstr("exec e"))));
}

TEST_F(SandboxPauseTest, AMachineThatCannotBeSuspendedIsNoFailedPause) {
    ASSERT_TRUE(boot());
    create("c1");
    machine.suspend_error = Error(ErrorKind::system, "no");
    EXPECT_TRUE(wait(sandbox.pause_container("c1")));
    EXPECT_EQ(sandbox.state(), State::RUNNING);
    EXPECT_TRUE(wait(sandbox.resume_container("c1")));
}

TEST_F(SandboxPauseTest, AMachineThatCannotBeResumedIsOver) {
    ASSERT_TRUE(boot());
    create("c1");
    ASSERT_TRUE(wait(sandbox.pause_container("c1")));
    machine.resume_error = Error(ErrorKind::system, "no");
    (void)wait(sandbox.signal("c1", "", SIGTERM, false)); // the fake guest answers all the same
    settle();
    EXPECT_EQ(sandbox.state(), State::STOPPED);
}

} // namespace
} // namespace runvm::sandbox
