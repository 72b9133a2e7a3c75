// The table of containers as far as it needs no guest; the rest is tests/integration/agent_vm.

#include "agent/cgroup.h"
#include "agent/containers.h"
#include "agent/launcher.h"
#include "agent/reaper.h"
#include "agent/time_namespace.h"

#include <capnp/message.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace runvm::agent {
namespace {

TEST(ContainerId, IsCheckedAsRuncDoes) {
    for (const char* id : {"a", "A-b_c.d+e", "0", "..."})
        EXPECT_TRUE(valid_container_id(id)) << id;
    for (const char* id : {"", ".", "..", "a/b", "a b", "ü", "a\n"})
        EXPECT_FALSE(valid_container_id(id)) << id;
    EXPECT_TRUE(valid_container_id(std::string(1024, 'a')));
    EXPECT_FALSE(valid_container_id(std::string(1025, 'a')));
}

TEST(CgroupText, IsSearchedByKey) {
    std::string text = "low 0\noom 3\noom_kill 2\noom_group_kill 9\n";
    EXPECT_EQ(keyed_value(text, "oom_kill"), 2U);
    EXPECT_EQ(keyed_value(text, "oom"), 3U);
    EXPECT_EQ(keyed_value(text, "max"), 0U);
    EXPECT_EQ(keyed_value("", "max"), 0U);
    EXPECT_EQ(keyed_value("populated 1", "populated"), 1U);
}

TEST(ExitOfAProcess, ComesFromItsWaitStatus) {
    Exit exit = Exit::from_wait_status(W_EXITCODE(7, 0));
    EXPECT_FALSE(exit.signaled);
    EXPECT_EQ(exit.value, 7U);
    exit = Exit::from_wait_status(W_EXITCODE(0, SIGSEGV) | WCOREFLAG);
    EXPECT_TRUE(exit.signaled);
    EXPECT_EQ(exit.value, static_cast<uint32_t>(SIGSEGV));
    exit.streams.push_back({4, 1U << 20U});
    capnp::MallocMessageBuilder message;
    auto status = message.initRoot<protocol::ExitStatus>();
    exit.write(status);
    EXPECT_EQ(status.getStreams()[0].getBytes(), 1U << 20U);
}

TEST(NamespacesFor, RefusesWhatTheAgentCannotMake) {
    capnp::MallocMessageBuilder message;
    auto container = message.initRoot<protocol::Container>();
    EXPECT_EQ(*Launcher::namespaces_for(container), static_cast<uint64_t>(CLONE_NEWNS));
    container.setNewNamespaces(CLONE_NEWPID | CLONE_NEWNET);
    EXPECT_EQ(*Launcher::namespaces_for(container), static_cast<uint64_t>(CLONE_NEWNS | CLONE_NEWPID));
    container.setNewNamespaces(CLONE_NEWUSER);
    EXPECT_EQ(Launcher::namespaces_for(container).error().kind(), ErrorKind::invalid_argument);
    container.initUidMappings(1)[0].setSize(1);
    EXPECT_EQ(Launcher::namespaces_for(container).error().kind(), ErrorKind::invalid_argument);
    container.initGidMappings(1)[0].setSize(1);
    EXPECT_EQ(*Launcher::namespaces_for(container), static_cast<uint64_t>(CLONE_NEWNS | CLONE_NEWUSER));
    container.setNewNamespaces(0);
    EXPECT_EQ(Launcher::namespaces_for(container).error().kind(), ErrorKind::invalid_argument);
    container.initUidMappings(0);
    container.initGidMappings(0);
    container.setNewNamespaces(1U << 2U); // no namespace of Linux 6.1
    EXPECT_EQ(Launcher::namespaces_for(container).error().kind(), ErrorKind::unsupported);
}

TEST(TimeNamespace, WritesOffsetsAsTheKernelReadsThem) {
    EXPECT_EQ(time_offset_line("monotonic", 0), "monotonic 0 0\n");
    EXPECT_EQ(time_offset_line("boottime", 1'500'000'000), "boottime 1 500000000\n");
    EXPECT_EQ(time_offset_line("boottime", -1), "boottime -1 999999999\n");
    EXPECT_EQ(time_offset_line("monotonic", -2'000'000'000), "monotonic -2 0\n");
}

TEST(Reaper, ReapsEveryChild) {
    Reaper::prepare();
    kj::UnixEventPort event_port;
    kj::EventLoop loop(event_port);
    kj::WaitScope scope(loop);
    std::map<pid_t, int> ended;
    auto all = kj::newPromiseAndFulfiller<void>();
    Reaper reaper(event_port, [&](pid_t pid, int status) {
        ended[pid] = status;
        if (ended.size() == 5)
            all.fulfiller->fulfill();
    });
    auto running = reaper.run().eagerlyEvaluate(nullptr);
    std::vector<pid_t> children;
    for (int i = 0; i < 5; ++i) {
        pid_t pid = ::fork();
        if (pid == 0)
            ::_exit(i);
        children.push_back(pid);
    }
    event_port.getTimer().timeoutAfter(30 * kj::SECONDS, kj::mv(all.promise)).wait(scope);
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(WEXITSTATUS(ended[children[static_cast<size_t>(i)]]), i);
}

} // namespace
} // namespace runvm::agent
