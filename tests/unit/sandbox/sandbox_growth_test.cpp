// The machine's size follows its containers' limits.

#include "sandbox_fixture.h"

#include <gmock/gmock.h>

namespace runvm::sandbox {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr uint64_t gib = 1U << 30U;

class SandboxGrowthTest : public SandboxTest {
protected:
    void boot_machine() {
        capnp::MallocMessageBuilder message;
        auto config = message.initRoot<protocol::SandboxConfig>();
        config.setSandboxId("c1");
        config.setVcpus(1);
        config.setDefaultVcpus(1);
        config.setMaxVcpus(4);
        config.setMemoryMib(512);
        config.setDefaultMemoryMib(512);
        config.setMaxMemoryMib(4096);
        config.setMemoryStepMib(128);
        ASSERT_TRUE(sandbox.boot(config));
    }

    Promised<void> begin_update(const std::string& id, uint32_t cpus, uint64_t memory_bytes) {
        capnp::MallocMessageBuilder message;
        auto resources = message.initRoot<protocol::Resources>();
        resources.getDemand().setCpus(cpus);
        resources.getDemand().setMemoryBytes(memory_bytes);
        return sandbox.update_container(id, resources);
    }
    Result<void> update(const std::string& id, uint32_t cpus, uint64_t memory_bytes) {
        return wait(begin_update(id, cpus, memory_bytes));
    }

    std::vector<std::string> resizes() {
        settle();
        std::vector<std::string> found;
        for (const std::string& call : machine.calls)
            if (call.starts_with("resize"))
                found.push_back(call);
        machine.calls.clear();
        return found;
    }
};

TEST_F(SandboxGrowthTest, GrowsBeforeTheLimitAndShrinksAfterIt) {
    boot_machine();
    create("c1");
    EXPECT_THAT(resizes(), ElementsAre());
    script.calls.clear();
    ASSERT_TRUE(update("c1", 2, gib));
    // 1024 MiB, of that a sixteenth, and 112: 1201, of which 512 are there; in steps of 128.
    EXPECT_THAT(resizes(), ElementsAre("resize 2 +768"));
    EXPECT_THAT(script.calls, ElementsAre("grow 2 +768", "updateContainer nothing"));
    ASSERT_TRUE(update("c1", 1, gib));
    EXPECT_THAT(resizes(), ElementsAre()) << "cpus stay";
    ASSERT_TRUE(update("c1", 0, 0));
    EXPECT_THAT(resizes(), ElementsAre("resize 2 +0"));
}

TEST_F(SandboxGrowthTest, SizesBeyondAnyMachineAreRefused) {
    using Config = protocol::SandboxConfig::Builder;
    constexpr uint64_t too_much_mib = (uint64_t{1} << 32U) + 1;
    const std::vector<std::pair<const char*, void (*)(Config)>> setters = {
        {"memoryMib", [](Config config) { config.setMemoryMib(too_much_mib); }},
        {"maxMemoryMib", [](Config config) { config.setMaxMemoryMib(too_much_mib); }},
        {"memoryStepMib", [](Config config) { config.setMemoryStepMib(UINT64_MAX); }},
        {"defaultMemoryMib", [](Config config) { config.setDefaultMemoryMib(UINT64_MAX); }},
    };
    for (const auto& [key, set] : setters) {
        capnp::MallocMessageBuilder message;
        auto config = message.initRoot<protocol::SandboxConfig>();
        config.setSandboxId("c1");
        set(config);
        auto booted = sandbox.boot(config);
        ASSERT_FALSE(booted) << key;
        EXPECT_EQ(booted.error().kind(), ErrorKind::invalid_argument);
        EXPECT_THAT(booted.error().message(), HasSubstr(std::string("sandbox's ") + key + " is "));
    }
    boot_machine();
}

TEST_F(SandboxGrowthTest, HasRoomForAllContainers) {
    boot_machine();
    create("c1");
    create("c2");
    ASSERT_TRUE(update("c1", 1, gib));
    EXPECT_THAT(resizes(), ElementsAre("resize 1 +1152")) << "c2 has no limit: 512 MiB are for it";
    ASSERT_TRUE(update("c2", 2, gib));
    EXPECT_THAT(resizes(), ElementsAre("resize 3 +1792"));
    ASSERT_TRUE(wait(sandbox.delete_container("c2")));
    EXPECT_THAT(resizes(), ElementsAre("resize 3 +768"));
}

TEST_F(SandboxGrowthTest, GrowsToTheLargestAndNoFurther) {
    boot_machine();
    create("c1");
    ASSERT_TRUE(update("c1", 100, 100 * gib));
    EXPECT_THAT(resizes(), ElementsAre("resize 4 +3584"));
    ASSERT_TRUE(update("c1", 101, 101 * gib));
    EXPECT_THAT(resizes(), ElementsAre());
}

TEST_F(SandboxGrowthTest, WhatFailedIsTriedAgain) {
    boot_machine();
    create("c1");
    script.calls.clear();
    machine.resize_error = Error(ErrorKind::internal, "no memory left");
    EXPECT_THAT(update("c1", 2, gib).error().to_string(), HasSubstr("no memory left"));
    EXPECT_THAT(script.calls, Not(Contains(StartsWith("updateContainer"))));
    machine.resize_error.reset();
    script.errors.emplace("grow", Error(ErrorKind::timeout, "1 of 2 cpus"));
    EXPECT_THAT(update("c1", 2, gib).error().to_string(), HasSubstr("1 of 2 cpus"));
    script.errors.clear();
    EXPECT_THAT(resizes(), ElementsAre("resize 2 +768", "resize 1 +0"))
        << "memory that nobody asks for any more";
    EXPECT_TRUE(update("c1", 2, gib));
    EXPECT_THAT(resizes(), ElementsAre("resize 2 +768"));
}

TEST_F(SandboxGrowthTest, TwoAtOnceBothWaitForTheMachine) {
    boot_machine();
    create("c1");
    create("c2");
    script.calls.clear();
    auto one = begin_update("c1", 1, gib);
    auto two = begin_update("c2", 1, gib);
    EXPECT_TRUE(wait(kj::mv(two)));
    EXPECT_TRUE(wait(kj::mv(one)));
    EXPECT_THAT(script.calls.front(), StartsWith("grow")) << "before any limit";
    EXPECT_THAT(script.calls, Not(Contains(StartsWith("updateContainer")).Times(1)));
}

TEST_F(SandboxGrowthTest, ALimitThatIsRefusedAsksForNothing) {
    boot_machine();
    create("c1");
    script.errors.emplace("updateContainer", Error(ErrorKind::invalid_argument, "rejecting"));
    EXPECT_FALSE(update("c1", 2, gib));
    EXPECT_THAT(resizes(), ElementsAre("resize 2 +768", "resize 2 +0"));
}

} // namespace
} // namespace runvm::sandbox
