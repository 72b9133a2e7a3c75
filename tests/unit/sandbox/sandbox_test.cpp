// The sandbox's state machine against a fake machine and a fake agent.

#include "../support/few_descriptors.h"
#include "sandbox_fixture.h"

#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace runvm::sandbox {
namespace {

using testing::Contains;
using testing::HasSubstr;
using State = protocol::SandboxState;

TEST_F(SandboxTest, BootsAndCreatesAContainer) {
    ASSERT_TRUE(boot());
    EXPECT_EQ(sandbox.state(), State::BOOTING);
    create("c1");
    EXPECT_EQ(sandbox.state(), State::RUNNING);
    EXPECT_THAT(machine.calls, Contains("attach c1/rootfs"));
    EXPECT_THAT(script.calls, Contains("createContainer c1"));
    EXPECT_EQ(sandbox.containers().at("c1").state(), protocol::ContainerStatus::State::CREATED);
}

TEST_F(SandboxTest, MakesTheRootReadonlyOnlyOnceTheGuestHasSetItUp) {
    ASSERT_TRUE(boot());
    ASSERT_TRUE(wait(begin_create("c1", true)));
    EXPECT_EQ(machine.calls, (std::vector<std::string>{"attach c1/rootfs", "readonly c1/rootfs"}));
}

TEST_F(SandboxTest, ASecondBootIsRefused) {
    ASSERT_TRUE(boot());
    auto again = boot();
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().kind(), ErrorKind::already_exists);
}

TEST_F(SandboxTest, AFailedBootReachesTheWaitingCreateAndEndsTheSandbox) {
    machine.boot_error = Error(ErrorKind::timeout, "no word from the guest");
    ASSERT_TRUE(boot());
    auto created = wait(begin_create("c1"));
    ASSERT_FALSE(created);
    EXPECT_EQ(created.error().kind(), ErrorKind::timeout);
    EXPECT_THAT(created.error().to_string(), HasSubstr("no word from the guest"));
    settle();
    EXPECT_FALSE(over.empty());
}

TEST_F(SandboxTest, ACreateThatFailsInTheGuestLeavesNoContainer) {
    script.errors.emplace("createContainer", Error(ErrorKind::command_not_found, "no such command"));
    ASSERT_TRUE(boot());
    auto created = wait(begin_create("c1"));
    ASSERT_FALSE(created);
    EXPECT_EQ(created.error().kind(), ErrorKind::command_not_found);
    settle();
    EXPECT_TRUE(sandbox.containers().empty());
    EXPECT_THAT(script.calls, Contains("deleteContainer c1"));
    EXPECT_THAT(machine.calls, Contains("detach c1"));
}

TEST_F(SandboxTest, AShareThatCannotBeAttachedFailsTheCreateBeforeTheGuestHearsOfIt) {
    machine.share_error = Error(ErrorKind::system, "no space");
    ASSERT_TRUE(boot());
    auto created = wait(begin_create("c1"));
    ASSERT_FALSE(created);
    EXPECT_EQ(created.error().to_string(), "share rootfs with the guest: no space");
    EXPECT_THAT(script.calls, testing::Not(Contains("createContainer c1")));
}

TEST_F(SandboxTest, AStreamThatNobodyCanCarryLeavesNothing) {
    ASSERT_TRUE(boot());
    capnp::MallocMessageBuilder message;
    auto created =
        wait(sandbox.create_container("c1", message.initRoot<protocol::Container>(), {}, take_null_stream()));
    ASSERT_FALSE(created);
    EXPECT_EQ(created.error().kind(), ErrorKind::invalid_argument);
    EXPECT_TRUE(sandbox.containers().empty());

    create("c1");
    auto started =
        wait(sandbox.exec("c1", "e1", message.initRoot<protocol::Process>(), "", take_null_stream()));
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().kind(), ErrorKind::invalid_argument);
    EXPECT_TRUE(sandbox.containers().at("c1").execs.empty());
}

TEST_F(SandboxTest, AGuestThatDoesNotAnswerIsATimeoutThatNamesTheCall) {
    agent_timeout_ms = 50;
    script.silent.insert("createContainer");
    ASSERT_TRUE(boot());
    auto created = wait(begin_create("c1"));
    ASSERT_FALSE(created);
    EXPECT_EQ(created.error().kind(), ErrorKind::timeout);
    EXPECT_THAT(created.error().to_string(), HasSubstr("createContainer"));
}

TEST_F(SandboxTest, TheSameIdTwiceIsRefused) {
    ASSERT_TRUE(boot());
    create("c1");
    auto again = wait(begin_create("c1"));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().kind(), ErrorKind::already_exists);
}

TEST_F(SandboxTest, ACreateOfADeletedContainerDoesNotGoOnAsItsSuccessor) {
    auto late = kj::newPromiseAndFulfiller<void>();
    machine.booted = kj::mv(late.promise);
    ASSERT_TRUE(boot());
    auto first = begin_create("c1").eagerlyEvaluate(nullptr);
    ASSERT_TRUE(wait(sandbox.delete_container("c1")));
    auto second = begin_create("c1").eagerlyEvaluate(nullptr);
    late.fulfiller->fulfill();
    auto failed = wait(kj::mv(first));
    ASSERT_FALSE(failed);
    EXPECT_THAT(failed.error().to_string(), HasSubstr("deleted while it was created"));
    EXPECT_TRUE(wait(kj::mv(second)));
    EXPECT_EQ(std::count(script.calls.begin(), script.calls.end(), "createContainer c1"), 1);
    EXPECT_TRUE(sandbox.containers().at("c1").init->created);
}

TEST_F(SandboxTest, ATwoWayStreamThatCannotBeDuplicatedIsNamed) {
    ASSERT_TRUE(boot());
    settle();
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    os::Fd other(ends[1]);
    std::vector<StreamEndpoint> streams;
    streams.push_back({7, protocol::StreamBinding::Direction::BOTH, os::Fd(ends[0])});
    capnp::MallocMessageBuilder message;
    auto none_free = std::make_unique<test::FewDescriptors>(0);
    auto creating =
        sandbox.create_container("c1", message.initRoot<protocol::Container>(), {}, std::move(streams));
    io.waitScope.poll();
    none_free.reset();
    auto created = wait(kj::mv(creating));
    ASSERT_FALSE(created);
    EXPECT_THAT(created.error().to_string(), HasSubstr("descriptor 7"));
    EXPECT_EQ(created.error().errno_value(), EMFILE);
    EXPECT_TRUE(sandbox.containers().empty());
}

TEST_F(SandboxTest, LeavesWhenTheLastContainerHasEndedAndItsOutputIsWritten) {
    ASSERT_TRUE(boot());
    create("c1");
    ASSERT_TRUE(sandbox.commit("c1"));
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    machine.guest_relay->attach(script.first_stream.at("c1/"), os::Fd(ends[0]), os::Fd());
    settle();
    script.exit_value = 7;
    script.exit("c1/");
    settle();
    EXPECT_TRUE(sandbox.containers().at("c1").init->ended());
    EXPECT_TRUE(over.empty()) << "left while output was on its way";

    ASSERT_EQ(::write(ends[1], "late", 4), 4);
    ::close(ends[1]);
    settle();
    char buffer[8] = {};
    EXPECT_EQ(::read(output.get(), buffer, sizeof buffer), 4);
    EXPECT_FALSE(over.empty());
}

TEST_F(SandboxTest, StaysUntilItIsCommitted) {
    ASSERT_TRUE(boot());
    create("c1");
    sandbox.detach([&] { // no shim ever came: nothing else keeps it
        auto process = *wait(sandbox.find_process("c1", ""));
        sandbox.attach(*process);
        return process;
    }());
    settle();
    EXPECT_TRUE(over.empty());
}

TEST_F(SandboxTest, AProcessWhoseShimIsGoneIsKilled) {
    ASSERT_TRUE(boot());
    create("c1");
    auto process = *wait(sandbox.find_process("c1", ""));
    sandbox.attach(*process);
    sandbox.detach(process);
    settle();
    EXPECT_THAT(script.calls, Contains("signal " + std::to_string(SIGKILL)));
}

TEST_F(SandboxTest, AProcessToWhichNoShimComesIsKilled) {
    agent_timeout_ms = 50;
    ASSERT_TRUE(boot());
    create("c1");
    const std::string killed = "signal " + std::to_string(SIGKILL);
    for (int i = 0; i < 500 && std::count(script.calls.begin(), script.calls.end(), killed) == 0; ++i)
        settle();
    EXPECT_THAT(script.calls, Contains(killed));
}

TEST_F(SandboxTest, KnowsOfAProcessThatItWasToldToEnd) {
    ASSERT_TRUE(boot());
    create("c1");
    for (int signal : {0, SIGWINCH, SIGCONT})
        ASSERT_TRUE(wait(sandbox.signal("c1", "", signal, false)));
    EXPECT_FALSE(sandbox.containers().at("c1").init->told_to_end);
    ASSERT_TRUE(wait(sandbox.signal("c1", "", SIGTERM, false)));
    EXPECT_TRUE(sandbox.containers().at("c1").init->told_to_end);
}

TEST_F(SandboxTest, TheMachinesDeathIsTheDeathOfItsProcesses) {
    ASSERT_TRUE(boot());
    create("c1");
    auto process = *wait(sandbox.find_process("c1", ""));
    sandbox.attach(*process);
    machine.die("virtiofsd has ended");
    wait(process->when_ended());
    EXPECT_TRUE(process->exit().signaled);
    EXPECT_EQ(process->exit().value, static_cast<uint32_t>(SIGKILL));
    EXPECT_EQ(sandbox.state(), State::STOPPED);
    auto late = wait(sandbox.signal("c1", "", SIGTERM, false));
    EXPECT_EQ(late.error().kind(), ErrorKind::process_finished);
    EXPECT_TRUE(over.empty()) << "left before the shim had its answer";
    sandbox.detach(process);
    settle();
    EXPECT_FALSE(over.empty());
}

TEST_F(SandboxTest, AnExitOutOfRangeIsNotBelieved) {
    ASSERT_TRUE(boot());
    create("c1");
    script.signaled = true;
    script.exit_value = 4711;
    script.exit_stream_bytes = 5;
    auto process = *wait(sandbox.find_process("c1", ""));
    settle();
    script.exit("c1/");
    wait(process->when_ended());
    EXPECT_FALSE(process->exit().signaled);
    EXPECT_EQ(process->exit().value, 255U);
    ASSERT_EQ(process->exit().streams.size(), 1U);
    EXPECT_EQ(process->exit().streams[0].fd, 1U) << "streams are named by the process's descriptor";
}

TEST_F(SandboxTest, ExecRunsAndIsForgottenAfterItsEnd) {
    ASSERT_TRUE(boot());
    create("c1");
    capnp::MallocMessageBuilder message;
    auto started =
        wait(sandbox.exec("c1", "e1", message.initRoot<protocol::Process>(), "", take_output_stream()));
    ASSERT_TRUE(started) << started.error().to_string();
    auto process = *wait(sandbox.find_process("c1", "e1"));
    settle();
    script.exit("c1/e1");
    wait(process->when_ended());
    settle();
    EXPECT_THAT(script.calls, Contains("forgetProcess e1"));
}

TEST_F(SandboxTest, AFailedExecLeavesNoProcess) {
    script.errors.emplace("exec", Error(ErrorKind::command_not_found, "no such command"));
    ASSERT_TRUE(boot());
    create("c1");
    capnp::MallocMessageBuilder message;
    auto started =
        wait(sandbox.exec("c1", "e1", message.initRoot<protocol::Process>(), "", take_output_stream()));
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().kind(), ErrorKind::command_not_found);
    EXPECT_TRUE(sandbox.containers().at("c1").execs.empty());
}

TEST_F(SandboxTest, AShimMayComeBeforeItsProcess) {
    ASSERT_TRUE(boot());
    auto found = sandbox.find_process("c1", "");
    create("c1");
    EXPECT_TRUE(wait(kj::mv(found)));
}

TEST_F(SandboxTest, AShimOfNoProcessIsToldSo) {
    agent_timeout_ms = 50;
    ASSERT_TRUE(boot());
    auto found = wait(sandbox.find_process("nobody", ""));
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind(), ErrorKind::not_found);
}

TEST_F(SandboxTest, AShimWaitsAsLongAsItsCreatorIsAtWork) {
    agent_timeout_ms = 20;
    ASSERT_TRUE(boot());
    sandbox.creator_came(); // its hooks run
    auto found = sandbox.find_process("c1", "");
    wait(io.provider->getTimer().afterDelay(100 * kj::MILLISECONDS));
    create("c1");
    EXPECT_TRUE(wait(kj::mv(found)));
}

TEST_F(SandboxTest, IsJoinedOnlyOnceItsFirstContainerIsCommitted) {
    ASSERT_TRUE(boot());
    sandbox.creator_came();
    create("c1");
    EXPECT_EQ(sandbox.join("c2").error().kind(), ErrorKind::wrong_state);
    ASSERT_TRUE(sandbox.commit("c1"));
    EXPECT_EQ(sandbox.join("c1").error().kind(), ErrorKind::already_exists);
    EXPECT_EQ(sandbox.join("c/2").error().kind(), ErrorKind::invalid_argument);
    EXPECT_TRUE(sandbox.join("c2"));
    EXPECT_EQ(sandbox.join("c2").error().kind(), ErrorKind::already_exists);
    machine.die("cut off");
    EXPECT_EQ(sandbox.join("c3").error().kind(), ErrorKind::unavailable);
}

TEST_F(SandboxTest, StaysForWhoHasJoinedIt) {
    ASSERT_TRUE(boot());
    create_silent("c1");
    ASSERT_TRUE(sandbox.commit("c1"));
    ASSERT_TRUE(sandbox.join("c2"));
    ASSERT_TRUE(wait(sandbox.delete_container("c1")));
    settle();
    EXPECT_TRUE(over.empty());
    create_silent("c2");
    ASSERT_TRUE(sandbox.commit("c2"));
    sandbox.joiner_left("c2"); // its connection is closed
    settle();
    EXPECT_EQ(sandbox.containers().count("c2"), 1U);
    EXPECT_TRUE(over.empty());
    ASSERT_TRUE(wait(sandbox.delete_container("c2")));
    settle();
    EXPECT_FALSE(over.empty());
}

TEST_F(SandboxTest, AJoinerThatIsLostTakesItsOwnContainerOnly) {
    ASSERT_TRUE(boot());
    create("c1");
    ASSERT_TRUE(sandbox.commit("c1"));
    ASSERT_TRUE(sandbox.join("c2"));
    create("c2");
    sandbox.joiner_left("c2");
    settle();
    EXPECT_EQ(sandbox.containers().count("c2"), 0U);
    EXPECT_EQ(sandbox.containers().count("c1"), 1U);
    EXPECT_THAT(script.calls, Contains("deleteContainer c2"));
    EXPECT_TRUE(over.empty());
    EXPECT_TRUE(sandbox.join("c2")) << "the name is free again";
}

TEST_F(SandboxTest, DeleteEndsTheProcessAndTakesTheSharesAway) {
    ASSERT_TRUE(boot());
    create("c1");
    auto process = *wait(sandbox.find_process("c1", ""));
    EXPECT_TRUE(wait(sandbox.delete_container("c1")));
    EXPECT_TRUE(process->ended());
    EXPECT_THAT(machine.calls, Contains("detach c1"));
    EXPECT_EQ(wait(sandbox.delete_container("c1")).error().kind(), ErrorKind::not_found);
}

TEST_F(SandboxTest, TellsItsListeners) {
    std::vector<std::string> seen;
    sandbox.add_listener([&](protocol::Event::Builder event) {
        seen.push_back(std::to_string(event.which()) + " " + event.getContainerId().cStr());
    });
    ASSERT_TRUE(boot());
    create("c1");
    ASSERT_TRUE(wait(sandbox.start_container("c1")));
    machine.die("gone");
    using Event = protocol::Event;
    EXPECT_EQ(seen, (std::vector<std::string>{std::to_string(Event::BOOTED) + " ",
                                              std::to_string(Event::CONTAINER_CREATED) + " c1",
                                              std::to_string(Event::CONTAINER_STARTED) + " c1",
                                              std::to_string(Event::PROCESS_EXITED) + " c1",
                                              std::to_string(Event::VM_EXITED) + " "}));
}

TEST_F(SandboxTest, ReleaseAsksTheGuestToPowerOff) {
    ASSERT_TRUE(boot());
    create("c1");
    auto released = sandbox.release();
    settle();
    EXPECT_THAT(script.calls, Contains("powerOff"));
    machine.die("powered off");
    EXPECT_TRUE(wait(kj::mv(released)));
}

} // namespace
} // namespace runvm::sandbox
