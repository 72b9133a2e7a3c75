// What a container's start and an exec cost the guest, with what engines send: runc's default config.json and
// Docker's seccomp profile. bench/figures reads the lines that begin with "figure".

#include "agent_calls.h"

#include "oci/config.h"
#include "oci/spec_json.h"
#include "os/file.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace runvm::test {

namespace {

constexpr int rounds = 15;

std::string usual_config() {
    auto config = nlohmann::json::parse(oci::default_spec());
    auto docker = os::read_file(std::string(RUNVM_SOURCE_DIR) + "/tests/data/bundles/docker/config.json");
    EXPECT_TRUE(docker) << docker.error().to_string();
    config["linux"]["seccomp"] = nlohmann::json::parse(*docker)["linux"]["seccomp"];
    config["process"]["terminal"] = false;
    config["process"]["args"] = {"true"};
    config["root"]["path"] = vm->rootfs();
    return config.dump();
}

CreateRequest usual_container(const std::string& id) {
    auto request = vm->agent().createContainerRequest();
    request.setId(id.c_str());
    auto plan = oci::plan_container(usual_config(), "config.json", vm->rootfs(), request.initContainer());
    EXPECT_TRUE(plan) << plan.error().to_string();
    EXPECT_GT(request.getContainer().getProcess().getSeccomp().getProgram().size(), 0U);
    return request;
}

void print_figure(const char* what, std::vector<double> ms) {
    std::sort(ms.begin(), ms.end());
    std::printf("figure %s: median %.1f ms, least %.1f ms\n", what, ms[ms.size() / 2], ms.front());
}

} // namespace

TEST(AgentVm, CostOfAStart) {
    std::vector<double> costs;
    for (int i = 0; i < rounds; ++i) {
        std::string id = "cost" + std::to_string(i);
        vm->add_rootfs(id);
        auto request = usual_container(id);
        GuestProcess process(*vm);
        process.bind(request.getContainer().getProcess());
        auto begin = std::chrono::steady_clock::now();
        Failure failure = create(request);
        ASSERT_FALSE(failure.failed) << failure.text;
        EXPECT_FALSE(start(id).failed);
        costs.push_back(ms_since(begin));
        wait_end(id);
        EXPECT_FALSE(remove(id).failed);
        vm->remove_shares(id);
    }
    print_figure("start", costs);
}

TEST(AgentVm, CostOfAnExec) {
    auto container = usual_container("execs-cost");
    set_words(container.getContainer().getProcess().initArgs(2), {"sleep", "1000"});
    capnp::MallocMessageBuilder message;
    message.setRoot(container.getContainer().getProcess().asReader());
    Sleeper sleeper("execs-cost", kj::mv(container));
    std::vector<double> costs;
    for (int i = 0; i < rounds; ++i) {
        std::string exec_id = "e" + std::to_string(i);
        auto request = vm->agent().execRequest();
        request.setId("execs-cost");
        request.setExecId(exec_id.c_str());
        request.setProcess(message.getRoot<protocol::Process>().asReader());
        set_words(request.getProcess().initArgs(1), {"true"});
        GuestProcess process(*vm);
        process.bind(request.getProcess());
        auto begin = std::chrono::steady_clock::now();
        Failure failure = failure_of(wait_for(request.send()));
        ASSERT_FALSE(failure.failed) << failure.text;
        costs.push_back(ms_since(begin));
        EXPECT_EQ(wait_end("execs-cost", exec_id).value, 0U);
    }
    print_figure("exec", costs);
}

} // namespace runvm::test
