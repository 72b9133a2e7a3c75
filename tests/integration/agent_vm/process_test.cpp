// What a process is given, its execs, signals and end.

#include "agent_calls.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace runvm::test {

TEST(AgentVm, ReportsMissingCommands) {
    auto run_for_error = [](const Words& args) { return run("missing", args).failure; };
    Failure failure = run_for_error({"no-such-command"});
    EXPECT_EQ(failure.kind, ErrorKind::command_not_found);
    EXPECT_NE(failure.text.find("exec: \"no-such-command\": executable file not found in $PATH"),
              std::string::npos);
    failure = run_for_error({"/no/such/command"});
    EXPECT_EQ(failure.kind, ErrorKind::command_not_found);
    EXPECT_EQ(failure.errno_value, ENOENT);
    failure = run_for_error({"/etc"});
    EXPECT_EQ(failure.kind, ErrorKind::command_not_executable);
    EXPECT_EQ(failure.errno_value, EACCES);
    std::ofstream(vm->rootfs() + "/etc/plain") << "text";
    failure = run_for_error({"/etc/plain"});
    EXPECT_EQ(failure.kind, ErrorKind::command_not_executable);
    EXPECT_EQ(failure.errno_value, EACCES);
}

TEST(AgentVm, ExecsQuickly) {
    Sleeper sleeper("execs");
    std::vector<double> started;
    std::vector<double> ended;
    double cpu_begin = vm->qemu_cpu_ms();
    for (int i = 0; i < 20; ++i) {
        std::string exec_id = "e" + std::to_string(i);
        auto request = exec_request("execs", exec_id, {"true"});
        GuestProcess process(*vm);
        process.bind(request.getProcess());
        auto begin = std::chrono::steady_clock::now();
        Failure failure = failure_of(wait_for(request.send()));
        EXPECT_FALSE(failure.failed) << failure.text;
        started.push_back(ms_since(begin));
        EXPECT_EQ(wait_end("execs", exec_id).value, 0U);
        ended.push_back(ms_since(begin));
        auto forget = vm->agent().forgetProcessRequest();
        forget.setId("execs");
        forget.setExecId(exec_id.c_str());
        EXPECT_FALSE(wait_for(forget.send()).getError().getFailed());
    }
    double cpu_ms = (vm->qemu_cpu_ms() - cpu_begin) / 20;
    std::sort(started.begin(), started.end());
    std::sort(ended.begin(), ended.end());
    std::printf(
        "exec answered after %.1f ms (least %.1f), ended after %.1f ms (least %.1f), %.1f ms of QEMU's cpu\n",
        started[10], started[0], ended[10], ended[0], cpu_ms);
}

TEST(AgentVm, SendsSignals) {
    Sleeper sleeper("signals");
    auto request = exec_request("signals", "s", {"sleep", "1000"});
    EXPECT_FALSE(wait_for(request.send()).getError().getFailed());
    EXPECT_FALSE(signal("signals", 0, false, "s").failed);
    EXPECT_FALSE(signal("signals", SIGTERM, false, "s").failed);
    End end = wait_end("signals", "s");
    EXPECT_TRUE(end.signaled);
    EXPECT_EQ(end.value, static_cast<uint32_t>(SIGTERM));
    EXPECT_EQ(signal("signals", SIGTERM, false, "s").kind, ErrorKind::process_finished);
    EXPECT_FALSE(signal("signals", SIGKILL, true).failed);
    end = wait_end("signals");
    EXPECT_TRUE(end.signaled);
    EXPECT_EQ(end.value, static_cast<uint32_t>(SIGKILL));
    EXPECT_EQ(signal("signals", 0, true).kind, ErrorKind::process_finished);
}

TEST(AgentVm, SetsTheProcessUp) {
    std::ofstream(vm->rootfs() + "/etc/passwd")
        << "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n";
    auto request =
        container_request("setup", {"sh", "-c",
                                    "id; echo $HOME; hostname; umask; pwd; ulimit -n; grep -E "
                                    "'^(Cap|NoNewPrivs)' /proc/self/status; cat /proc/self/oom_score_adj; "
                                    "echo err > /dev/stderr; ls /proc/self/fd"});
    auto process = request.getContainer().getProcess();
    auto user = process.getUser();
    user.setUid(1000);
    user.setGid(1001);
    user.initAdditionalGids(2).set(0, 7);
    user.getAdditionalGids().set(1, 8);
    user.setUmask(027);
    process.setCwd("/home/new");
    process.setNoNewPrivileges(true);
    process.setHasOomScoreAdj(true);
    process.setOomScoreAdj(321);
    auto limit = process.initRlimits(1)[0];
    limit.setResource(7); // RLIMIT_NOFILE
    limit.setSoft(77);
    limit.setHard(88);
    process.getCapabilities().setEffective(0);
    process.getCapabilities().setPermitted(0);
    Output output = run("setup", request);
    EXPECT_EQ(output.out,
              "uid=1000(user) gid=1001 groups=7,8\n/home/user\ninside\n0027\n/home/new\n77\n"
              "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
              "CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n321\n0\n1\n2\n3\n")
        << output.failure.text << output.err;
    EXPECT_EQ(output.err, "err\n");
}

TEST(AgentVm, ListsProcesses) {
    Sleeper sleeper("listed");
    auto request = exec_request("listed", "s", {"sleep", "1000"});
    wait_for(request.send());
    auto list = vm->agent().processesRequest();
    list.setId("listed");
    auto answer = wait_for(list.send());
    EXPECT_GT(answer.getMemoryBytes(), 0U);
    auto processes = answer.getProcesses();
    ASSERT_EQ(processes.size(), 2U);
    auto second = processes[0].getPid() == 1 ? processes[1] : processes[0];
    EXPECT_GT(second.getPid(), 1U);       // a number of the container's
    EXPECT_EQ(second.getParentPid(), 0U); // the agent, which is not in its namespace
    EXPECT_STREQ(second.getCommandLine().cStr(), "sleep 1000");
    EXPECT_GT(second.getResidentBytes(), 0U);
}

TEST(AgentVm, LoadsASeccompProgram) {
    // deny mkdir and mkdirat with EPERM: ld nr; jeq 83, jeq 258; ret
    struct {
        uint16_t code;
        uint8_t jt, jf;
        uint32_t k;
    } program[] = {{0x20, 0, 0, 0},
                   {0x15, 1, 0, 83},
                   {0x15, 0, 1, 258},
                   {0x06, 0, 0, 0x00050001},
                   {0x06, 0, 0, 0x7fff0000}};
    for (bool no_new_privileges : {true, false}) {
        auto request = container_request("seccomp", {"sh", "-c", "mkdir /tmp/dir || echo denied"});
        auto process = request.getContainer().getProcess();
        process.setNoNewPrivileges(no_new_privileges);
        process.initSeccomp().setProgram(kj::arrayPtr(reinterpret_cast<kj::byte*>(program), sizeof program));
        Output output = run("seccomp", request);
        EXPECT_EQ(output.out, "denied\n") << output.failure.text << output.err;
    }
}

} // namespace runvm::test
