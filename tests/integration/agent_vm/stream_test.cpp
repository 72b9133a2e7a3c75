// A process's pipes and terminals.

#include "agent_calls.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <string>

namespace runvm::test {

TEST(AgentVm, CarriesInput) {
    Sleeper sleeper("input");
    auto request = exec_request("input", "cat", {"cat"});
    GuestProcess process(*vm);
    process.bind(request.getProcess(), false, true);
    EXPECT_FALSE(wait_for(request.send()).getError().getFailed());
    process.write("hello");
    EXPECT_EQ(process.read(1, 5), "hello");
    process.close_input();
    EXPECT_EQ(wait_end("input", "cat").value, 0U);
}

TEST(AgentVm, CarriesMuchOutputCompletely) {
    auto begin = std::chrono::steady_clock::now();
    Output output = run("much", {"dd", "if=/dev/zero", "bs=65536", "count=256"});
    EXPECT_EQ(output.out.size(), 256U * 65536U) << output.failure.text;
    std::printf("16 MiB in %.0f ms\n", ms_since(begin));
}

TEST(AgentVm, GivesATerminal) {
    vm->add_rootfs("tty");
    auto request = container_request(
        "tty", {"sh", "-c", "tty; stty size; ls -l /dev/console; read x; stty size; read y"});
    auto process_builder = request.getContainer().getProcess();
    process_builder.setConsoleHeight(33);
    process_builder.setConsoleWidth(101);
    GuestProcess process(*vm);
    process.bind(process_builder, true);
    Failure failure = create(request);
    ASSERT_FALSE(failure.failed) << failure.text;
    EXPECT_FALSE(start("tty").failed);
    std::string text = process.read_until(0, "console");
    EXPECT_NE(text.find("/dev/pts/0\r\n33 101\r\n"), std::string::npos) << text;
    auto resize = vm->agent().resizeRequest();
    resize.setId("tty");
    resize.setHeight(44);
    resize.setWidth(55);
    EXPECT_FALSE(wait_for(resize.send()).getError().getFailed());
    process.write("\n");
    EXPECT_NE(process.read_until(0, "44 55").find("44 55"), std::string::npos);
    process.write("\x03");
    End end = wait_end("tty");
    EXPECT_EQ(process.read(0, end.bytes[process.stream_of(0)]).size(), end.bytes[process.stream_of(0)]);
    EXPECT_FALSE(remove("tty").failed);
    vm->remove_shares("tty");
}

TEST(AgentVm, GivesAnExecATerminal) {
    Sleeper sleeper("ttyexec");
    auto request = exec_request("ttyexec", "t", {"sh", "-c", "tty; echo done"});
    GuestProcess process(*vm);
    process.bind(request.getProcess(), true);
    EXPECT_FALSE(wait_for(request.send()).getError().getFailed());
    std::string text = process.read_until(0, "done");
    EXPECT_NE(text.find("/dev/pts/0"), std::string::npos) << text;
    EXPECT_EQ(wait_end("ttyexec", "t").value, 0U);
}

} // namespace runvm::test
