// The limits of a container's resources.

#include "agent_calls.h"

#include <gtest/gtest.h>

namespace runvm::test {

TEST(AgentVm, LimitsResources) {
    auto request = container_request(
        "limits", {"sh", "-c",
                   "cat /sys/fs/cgroup/pids.max /proc/self/cgroup; cat /dev/null; mknod /dev/k c 1 2 && "
                   "cat /dev/k; head -c 1 /dev/zero | wc -c"});
    auto resources = request.getContainer().initResources();
    auto files = resources.initFiles(2);
    files[0].setName("pids.max");
    files[0].setValue("12");
    files[1].setName("no.such");
    files[1].setOptional(true);
    auto rules = resources.initDeviceRules(3);
    rules[0].setAllow(false);
    rules[0].setType('a');
    rules[0].setAccess("rwm");
    rules[1].setAllow(true);
    rules[1].setType('c');
    rules[1].setAccess("m");
    rules[2].setAllow(true);
    rules[2].setType('c');
    rules[2].setMajor(1);
    rules[2].setMinor(3);
    rules[2].setAccess("rwm");
    Output output = run("limits", request);
    // /dev/zero is not allowed, so head fails and wc counts nothing
    EXPECT_EQ(output.out, "12\n0::/\n0\n") << output.failure.text << output.err;
    EXPECT_NE(output.err.find("'/dev/k': Operation not permitted"), std::string::npos) << output.err;

    request = container_request("limits", {"true"});
    request.getContainer().initResources().initFiles(1)[0].setName("no.such");
    Failure failure = run("limits", request).failure;
    EXPECT_EQ(failure.kind, ErrorKind::unsupported) << failure.text;
}

TEST(AgentVm, TellsOfAnOomKill) {
    auto request = container_request("oom", {"sh", "-c", "dd if=/dev/zero of=/dev/null bs=100M count=1"});
    auto file = request.getContainer().initResources().initFiles(1)[0];
    file.setName("memory.max");
    file.setValue("16777216");
    Output output = run("oom", request);
    EXPECT_TRUE(output.end.oom_killed) << output.failure.text << output.err << output.end.value;
    EXPECT_FALSE(run("noom", {"true"}).end.oom_killed);
}

} // namespace runvm::test
