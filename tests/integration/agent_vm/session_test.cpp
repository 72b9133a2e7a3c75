// The session between host and agent: its greeting, and what outlives it.

#include "agent_calls.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <string>

namespace runvm::test {

TEST(AgentVm, SaysHello) {
    auto request = vm->agent().helloRequest();
    request.setProtocolVersion(protocol::AGENT_PROTOCOL_VERSION);
    request.setHostTimeNs(1'700'000'000'000'000'000);
    auto answer = wait_for(request.send());
    EXPECT_FALSE(answer.getError().getFailed());
    EXPECT_EQ(answer.getProtocolVersion(), protocol::AGENT_PROTOCOL_VERSION);
    std::printf("kernel %s, agent %s, ready after %.0f ms\n", answer.getKernelRelease().cStr(),
                answer.getAgentVersion().cStr(), static_cast<double>(answer.getBootNs()) / 1e6);
    Output output = run("clock", {"date", "-u", "+%Y"});
    EXPECT_EQ(output.out, "2023\n") << output.failure.text;
    auto ping = wait_for(vm->agent().pingRequest().send());
    auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 20; ++i)
        wait_for(vm->agent().pingRequest().send());
    std::printf("ping %.2f ms\n", ms_since(begin) / 20);
}

TEST(AgentVm, RefusesAnotherProtocolVersion) {
    auto request = vm->agent().helloRequest();
    request.setProtocolVersion(protocol::AGENT_PROTOCOL_VERSION + 1);
    request.setHostTimeNs(1);
    Failure failure = failure_of(wait_for(request.send()));
    EXPECT_EQ(failure.kind, ErrorKind::unsupported);
}

TEST(AgentVm, OutlivesASession) {
    Sleeper sleeper("session");
    auto request =
        exec_request("session", "noisy", {"sh", "-c", "trap '' PIPE; while sleep 0.05; do echo x; done"});
    GuestProcess process(*vm);
    process.bind(request.getProcess());
    EXPECT_FALSE(wait_for(request.send()).getError().getFailed());
    EXPECT_FALSE(process.read(1, 4).empty());
    for (int i = 0; i < 3; ++i) {
        vm->disconnect();
        vm->connect();
        EXPECT_EQ(exec("session", "after" + std::to_string(i), {"echo", "again"}).out, "again\n");
    }
    EXPECT_FALSE(signal("session", 0, false, "noisy").failed);
}

} // namespace runvm::test
