// A container from its creation to its deletion.

#include "agent_calls.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

namespace runvm::test {

namespace {

/// Descriptors of virtiofsd that are open below the shared folder's container.
unsigned held_by_virtiofsd(const std::string& container) {
    unsigned count = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(vm->virtiofsd_pid()) + "/fd")) {
        std::error_code error;
        std::string target = std::filesystem::read_symlink(entry.path(), error);
        if (target.find("/" + container) != std::string::npos || target.find("/rootfs") != std::string::npos)
            ++count;
    }
    return count;
}

std::string held_names() {
    std::string names;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(vm->virtiofsd_pid()) + "/fd")) {
        std::error_code error;
        names += std::filesystem::read_symlink(entry.path(), error).string() + " ";
    }
    return names;
}

} // namespace

TEST(AgentVm, RunsAContainer) {
    auto begin = std::chrono::steady_clock::now();
    Output output = run("c1", {"sh", "-c", "echo out; echo err >&2; exit 3"});
    std::printf("run %.1f ms\n", ms_since(begin));
    EXPECT_EQ(output.out, "out\n") << output.failure.text;
    EXPECT_EQ(output.err, "err\n");
    EXPECT_FALSE(output.end.signaled);
    EXPECT_EQ(output.end.value, 3U);
}

TEST(AgentVm, TimesCreateStartAndDelete) {
    for (int i = 0; i < 5; ++i) {
        std::string id = "timed" + std::to_string(i);
        vm->add_rootfs(id);
        auto request = container_request(id, {"true"});
        GuestProcess process(*vm);
        process.bind(request.getContainer().getProcess());
        double cpu_begin = vm->qemu_cpu_ms();
        auto begin = std::chrono::steady_clock::now();
        EXPECT_FALSE(create(request).failed);
        double created = ms_since(begin);
        EXPECT_FALSE(start(id).failed);
        double started = ms_since(begin);
        wait_end(id);
        double ended = ms_since(begin);
        EXPECT_FALSE(remove(id).failed);
        std::printf("create %.1f start %.1f end %.1f delete %.1f ms, %.1f ms of QEMU's cpu\n", created,
                    started - created, ended - started, ms_since(begin) - ended,
                    vm->qemu_cpu_ms() - cpu_begin);
        vm->remove_shares(id);
    }
}

TEST(AgentVm, ReleasesSharesOnDelete) {
    Output output = run("released", {"ls", "-lR", "/bin", "/etc"});
    EXPECT_EQ(output.end.value, 0U) << output.failure.text;
    // The guest's last requests that let go are on their way.
    for (int i = 0; i < 100 && held_by_virtiofsd("released") > 0; ++i)
        ::usleep(20'000);
    EXPECT_EQ(held_by_virtiofsd("released"), 0U) << held_names();
}

TEST(AgentVm, LeavesNothingOfAFailedCreate) {
    vm->add_rootfs("twice");
    auto request = container_request("twice", {"true"}, 1);
    more_mount(request, 0).setDestination("/mnt");
    more_mount(request, 0).setType("nosuchfs");
    Failure failure = create(request);
    EXPECT_TRUE(failure.failed);
    EXPECT_NE(failure.text.find("nosuchfs"), std::string::npos) << failure.text;
    vm->remove_shares("twice");
    EXPECT_EQ(run("twice", {"true"}).end.value, 0U);
}

TEST(AgentVm, EndsACreatedContainerBySigterm) {
    vm->add_rootfs("waiting");
    auto request = container_request("waiting", {"true"});
    EXPECT_FALSE(create(request).failed);
    EXPECT_EQ(exec("waiting", "early", {"echo", "in created"}).out, "in created\n");
    EXPECT_FALSE(signal("waiting", SIGTERM).failed);
    EXPECT_EQ(wait_end("waiting").value, 128U + SIGTERM);
    EXPECT_EQ(start("waiting").kind, ErrorKind::process_finished);
    EXPECT_FALSE(remove("waiting").failed);
    vm->remove_shares("waiting");
}

TEST(AgentVm, KillsAllWithoutAPidNamespace) {
    auto request = container_request("shared", {"sh", "-c", "sleep 1000 & sleep 1000 & echo up; exit 4"});
    request.getContainer().setNewNamespaces(usual_namespaces & ~uint64_t{CLONE_NEWPID});
    Output output = run("shared", request);
    EXPECT_EQ(output.end.value, 4U) << output.failure.text;
    EXPECT_EQ(output.out, "up\n");
}

CreateRequest user_namespace_request(const std::string& id, const Words& args, unsigned mappings) {
    auto request = container_request(id, args);
    auto container = request.getContainer();
    container.setNewNamespaces(usual_namespaces | CLONE_NEWUSER);
    for (auto list : {container.initUidMappings(mappings), container.initGidMappings(mappings)})
        for (auto mapping : list)
            mapping.setSize(65536); // the guest's own ids: the rootfs is root's
    return request;
}

TEST(AgentVm, GivesUpUserNamespacesThatTheKernelRefuses) {
    auto overlapping = user_namespace_request("mapped", {"true"}, 2);
    Failure failure = run("mapped", overlapping).failure;
    EXPECT_EQ(failure.errno_value, EINVAL) << failure.text;
    EXPECT_NE(failure.text.find("map the ids"), std::string::npos) << failure.text;

    // In the middle of what the agent does in the container's namespaces.
    auto bad_sysctl = user_namespace_request("mapped", {"true"}, 1);
    auto settings = bad_sysctl.getContainer().initSysctl(2);
    settings[0].setKey("kernel/domainname");
    settings[0].setValue("container");
    settings[1].setKey("kernel/no_such");
    failure = run("mapped", bad_sysctl).failure;
    EXPECT_EQ(failure.errno_value, ENOENT) << failure.text;

    // It has come back from there, and nothing is in the way of another try.
    auto own = container_request("mapped", {"cat", "/proc/sys/kernel/domainname"});
    own.getContainer().setNewNamespaces(usual_namespaces & ~uint64_t{CLONE_NEWUTS});
    EXPECT_EQ(run("mapped", own).out, "(none)\n");
    auto good = user_namespace_request("mapped", {"sh", "-c", "tr -s ' ' </proc/self/uid_map; id -u"}, 1);
    Output output = run("mapped", good);
    EXPECT_EQ(output.out, " 0 0 65536\n0\n") << output.failure.text << output.err;
}

TEST(AgentVm, RefusesNonsense) {
    vm->add_rootfs("nonsense");
    auto bad_id = container_request("../x", {"true"});
    EXPECT_EQ(create(bad_id).kind, ErrorKind::invalid_argument);
    auto bad_share = container_request("nonsense", {"true"});
    bad_share.getContainer().setRootfsShare("../..");
    EXPECT_EQ(create(bad_share).kind, ErrorKind::invalid_argument);
    auto user_namespace = container_request("nonsense", {"true"});
    user_namespace.getContainer().setNewNamespaces(usual_namespaces | CLONE_NEWUSER);
    EXPECT_EQ(create(user_namespace).kind, ErrorKind::invalid_argument) << "it has no mappings";
    auto once = container_request("nonsense", {"sleep", "1000"});
    EXPECT_FALSE(create(once).failed);
    auto twice = container_request("nonsense", {"sleep", "1000"});
    EXPECT_EQ(create(twice).kind, ErrorKind::already_exists);
    EXPECT_EQ(wait_end("nobody").failure.kind, ErrorKind::not_found);
    EXPECT_FALSE(remove("nobody").failed);
    EXPECT_FALSE(remove("nonsense").failed);
    vm->remove_shares("nonsense");
}

TEST(AgentVm, MakesAContainerWhoseNameIsThatOfOneThatIsGoing) {
    vm->add_rootfs("again");
    auto first = container_request("again", {"sleep", "1000"});
    ASSERT_FALSE(create(first).failed);
    auto going = vm->agent().deleteContainerRequest();
    going.setId("again");
    auto gone = going.send();
    auto second = container_request("again", {"sleep", "1000"});
    Failure failure = create(second);
    EXPECT_FALSE(failure.failed) << failure.text;
    EXPECT_FALSE(failure_of(wait_for(kj::mv(gone))).failed);
    EXPECT_FALSE(start("again").failed);
    EXPECT_FALSE(remove("again").failed);
    vm->remove_shares("again");
}

} // namespace runvm::test
