// Containers that share a machine, because they are in one network namespace.

#include "commands_fixture.h"

#include "runtime/shared_sandbox.h"

#include <fcntl.h>

namespace runvm::runtime {
namespace {

using testing::HasSubstr;

class SharedSandboxTest : public CommandsTest {
protected:
    CreateOptions options_of(const std::string& id) const {
        CreateOptions created = options();
        created.id = id;
        return created;
    }

    state::Container container(const std::string& id) {
        auto loaded = context_.store->load(id);
        EXPECT_TRUE(loaded) << loaded.error().to_string();
        return loaded ? *std::move(loaded) : state::Container();
    }

    std::string status_of(const std::string& id) { return to_string(state::effective_status(container(id))); }

    /// Of the bundle: containers from now on are in the network namespace of `id`; empty: in one of their
    /// own.
    void join_network_of(const std::string& id) {
        auto config = nlohmann::ordered_json::parse(oci::default_spec());
        config["process"]["terminal"] = false;
        // Each has a cgroup of its own.
        cgroup_ = "/runvm-test-unit-" + std::to_string(::getpid()) + "-" + std::to_string(++cgroups_);
        config["linux"]["cgroupsPath"] = cgroup_;
        for (auto& space : config["linux"]["namespaces"])
            if (!id.empty() && space["type"] == "network")
                space["path"] = "/proc/" + std::to_string(container(id).shim.pid) + "/ns/net";
        write_config(config.dump());
    }

    /// Two containers in one machine.
    void create_pair() {
        join_network_of("");
        auto first = create(context_, options_of("c1"));
        ASSERT_TRUE(first) << first.error().to_string();
        ASSERT_TRUE(start(context_, "c1"));
        join_network_of("c1");
        auto joined = create(context_, options_of("c2"));
        ASSERT_TRUE(joined) << joined.error().to_string();
        ASSERT_TRUE(start(context_, "c2"));
        ASSERT_EQ(container("c1").sandbox_folder, container("c2").sandbox_folder);
        ASSERT_EQ(container("c1").reaper.pid, container("c2").reaper.pid);
    }

    static bool comes(const std::function<bool()>& condition) {
        for (int i = 0; i < 1000 && !condition(); ++i)
            ::usleep(10000);
        return condition();
    }

    std::string cgroup_; ///< of the containers from now on

private:
    int cgroups_ = 0;
};

TEST_F(SharedSandboxTest, TheMachineGoesWithTheLastInEitherOrder) {
    for (std::string first : {"c1", "c2"}) {
        create_pair();
        std::string second = first == "c1" ? "c2" : "c1";
        state::ProcessRef reaper = container("c1").reaper;
        auto removed = remove(context_, first, true);
        EXPECT_TRUE(removed) << removed.error().to_string();
        EXPECT_TRUE(state::is_alive(reaper));
        EXPECT_EQ(status_of(second), "running");
        ASSERT_TRUE(kill(context_, second, SIGTERM, false));
        EXPECT_TRUE(comes([&] { return status_of(second) == "stopped"; }));
        ASSERT_TRUE(remove(context_, second, false));
        EXPECT_FALSE(state::is_alive(reaper));
        expect_nothing_left();
    }
}

TEST_F(SharedSandboxTest, TheEndOfOneIsNotThatOfTheOther) {
    create_pair();
    ASSERT_EQ(::kill(container("c1").shim.pid, SIGKILL), 0);
    EXPECT_TRUE(comes([&] { return status_of("c1") == "stopped"; }));
    EXPECT_EQ(status_of("c2"), "running");
    ASSERT_TRUE(remove(context_, "c1", false));
    EXPECT_EQ(status_of("c2"), "running");
    EXPECT_TRUE(pause(context_, "c2"));
    EXPECT_TRUE(resume(context_, "c2"));
}

TEST_F(SharedSandboxTest, ACreateThatFailsLeavesTheOtherAlone) {
    ASSERT_TRUE(create(context_, options_of("c1")));
    join_network_of("c1");
    CreateOptions failing = options_of("c2");
    failing.pidfd_socket = "/nowhere"; // the last but one step
    auto failed = create(context_, failing);
    ASSERT_FALSE(failed);
    EXPECT_THAT(failed.error().to_string(), HasSubstr("/nowhere"));
    EXPECT_EQ(status_of("c1"), "created");
    for (const auto& [controllers, folder] : container("c1").cgroup_folders)
        EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(folder).parent_path().string() + cgroup_))
            << controllers;
    auto again = create(context_, options_of("c2"));
    EXPECT_TRUE(again) << again.error().to_string();
}

TEST_F(SharedSandboxTest, ACreateThatIsKilledLeavesTheOtherAlone) {
    ASSERT_TRUE(create(context_, options_of("c1")));
    join_network_of("c1");
    for (std::string point : {"create.before-join", "create.after-join", "create.after-container"}) {
        pid_t creator = in_another_process([&] {
            ::setenv("RUNVM_FAULT_POINT", point.c_str(), 1);
            return create(context_, options_of("c2")) ? 0 : 7;
        });
        int stopped = 0;
        ASSERT_EQ(::waitpid(creator, &stopped, WUNTRACED), creator);
        ASSERT_TRUE(WIFSTOPPED(stopped)) << point;
        ::kill(creator, SIGKILL);
        EXPECT_EQ(exit_code_of(creator), 128 + SIGKILL);
        EXPECT_EQ(status_of("c2"), "stopped");
        auto cleared = remove(context_, "c2", true);
        EXPECT_TRUE(cleared) << point << ": " << cleared.error().to_string();
        EXPECT_EQ(status_of("c1"), "created") << point;
    }
    ASSERT_TRUE(remove(context_, "c1", true));
    expect_nothing_left();
}

TEST_F(SharedSandboxTest, ANameThatIsFreeAgainGetsAMachineOfItsOwn) {
    create_pair();
    ASSERT_TRUE(remove(context_, "c1", true));
    join_network_of("");
    auto again = create(context_, options_of("c1"));
    ASSERT_TRUE(again) << again.error().to_string();
    EXPECT_NE(container("c1").sandbox_folder, container("c2").sandbox_folder);
    EXPECT_EQ(status_of("c2"), "running");
    ASSERT_TRUE(remove(context_, "c2", true));
    EXPECT_EQ(status_of("c1"), "created");
    ASSERT_TRUE(remove(context_, "c1", true));
    expect_nothing_left();
}

TEST_F(SharedSandboxTest, AFolderIsThatOfWhoHasStoppedToo) {
    create_pair();
    ASSERT_TRUE(remove(context_, "c1", true));
    ASSERT_EQ(::kill(container("c2").shim.pid, SIGKILL), 0);
    EXPECT_TRUE(comes([&] { return status_of("c2") == "stopped"; }));
    state::ProcessRef reaper = container("c2").reaper;
    join_network_of("");
    ASSERT_TRUE(create(context_, options_of("c1")));
    EXPECT_NE(container("c1").sandbox_folder, container("c2").sandbox_folder);
    ASSERT_TRUE(remove(context_, "c2", false));
    EXPECT_FALSE(state::is_alive(reaper));
    EXPECT_EQ(status_of("c1"), "created");
}

TEST_F(SharedSandboxTest, WhoIsBeingCommittedCanBeJoined) {
    pid_t creator = in_another_process([&] {
        ::setenv("RUNVM_FAULT_POINT", "create.after-save", 1);
        return create(context_, options_of("c1")) ? 0 : 7;
    });
    int stopped = 0;
    ASSERT_EQ(::waitpid(creator, &stopped, WUNTRACED), creator);
    ASSERT_TRUE(WIFSTOPPED(stopped));
    join_network_of("c1");
    pid_t joiner = in_another_process([&] {
        auto joined = create(context_, options_of("c2"));
        return joined ? 0 : 7;
    });
    EXPECT_TRUE(comes([&] { return context_.store->load("c2").ok(); }));
    ::usleep(100000); // it may ask once; a joiner that is late asks later
    ASSERT_EQ(::kill(creator, SIGCONT), 0);
    EXPECT_EQ(exit_code_of(creator), 0);
    EXPECT_EQ(exit_code_of(joiner), 0);
    EXPECT_EQ(container("c1").sandbox_folder, container("c2").sandbox_folder);
}

TEST_F(SharedSandboxTest, ADamagedStateDoesNotKeepTheProcess) {
    create_pair();
    state::ProcessRef shim = container("c2").shim;
    ASSERT_TRUE(os::write_file_atomically(context_.root + "/c2/state.json", "{", 0600, false));
    auto cleared = remove(context_, "c2", true);
    EXPECT_TRUE(cleared) << cleared.error().to_string();
    EXPECT_TRUE(comes([&] { return !state::is_alive(shim); }));
    EXPECT_EQ(status_of("c1"), "running");
}

TEST_F(SharedSandboxTest, TheMachineIsHandedToTheOthersCgroup) {
    create_pair();
    state::Container one = container("c1");
    state::Container two = container("c2");
    if (two.cgroup_folders.empty())
        GTEST_SKIP() << "no cgroup file system is mounted";
    auto is_in = [](pid_t pid, const state::Container& of) {
        std::string folder = of.cgroup_folders.begin()->second;
        auto text = os::read_file(folder + "/cgroup.procs");
        return text && ("\n" + *text).find("\n" + std::to_string(pid) + "\n") != std::string::npos;
    };
    EXPECT_TRUE(is_in(one.reaper.pid, one));
    EXPECT_TRUE(is_in(two.shim.pid, two));
    ASSERT_TRUE(remove(context_, "c1", true));
    EXPECT_TRUE(is_in(two.reaper.pid, two));
    EXPECT_FALSE(std::filesystem::exists(one.cgroup_folders.begin()->second));
}

TEST_F(SharedSandboxTest, WhoIsGoneIsNotJoined) {
    create_pair();
    EXPECT_FALSE(find_in_network(context_, "")->has_value());
    EXPECT_FALSE(find_in_network(context_, "/proc/self/ns/net")->has_value());
    std::string path = "/proc/" + std::to_string(container("c1").shim.pid) + "/ns/net";
    os::Fd space = *os::open_file(path, O_RDONLY);
    std::string held = "/proc/self/fd/" + std::to_string(space.get());
    ASSERT_TRUE(find_in_network(context_, held)->has_value());
    auto removed = remove(context_, "c1", true);
    ASSERT_TRUE(removed) << removed.error().to_string();
    EXPECT_EQ((*find_in_network(context_, held))->id, "c2") << "who has joined it lives there, too";
    ASSERT_TRUE(remove(context_, "c2", true));
    EXPECT_FALSE(find_in_network(context_, held)->has_value());
}

TEST_F(SharedSandboxTest, AnUpdateDoesNotBoundTheMachineOfOthers) {
    create_pair();
    std::string folder = container("c1").sandbox_folder;
    EXPECT_TRUE(has_been_shared(folder));
    cgroup::Limits limits;
    limits.memory_bytes = 1;
    limits.cpu_quota_us = 1;
    limits.cpu_shares = 2;
    cgroup::Limits left = limits_beside_machine(limits);
    EXPECT_EQ(left.memory_bytes, 0);
    EXPECT_EQ(left.cpu_quota_us, 0);
    EXPECT_EQ(left.cpu_shares, 2U);
    EXPECT_FALSE(has_been_shared(context_.root));
}

} // namespace
} // namespace runvm::runtime
