// update: what replaces what, and what the guest is told.

#include "oci/update.h"

#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace runvm::oci {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Json = nlohmann::json;
using Flags = std::map<std::string, std::string>;

const char* const container = R"({"linux": {"resources": {
    "memory": {"limit": 1000, "reservation": 500}, "cpu": {"shares": 1024, "quota": 5, "period": 10, "cpus": "0"},
    "pids": {"limit": 7}, "devices": [{"allow": false, "access": "rwm"}]}}})";

struct Outcome {
    std::string error;
    std::vector<std::string> files; ///< "memory.max=1000"
    Json resources;                 ///< of the container from now on
    size_t device_rules = 0;
};

Outcome update(const std::string& text, const char* config = container) {
    capnp::MallocMessageBuilder message;
    auto resources = message.initRoot<protocol::Resources>();
    auto planned = plan_update(config, text, "r.json", resources);
    if (!planned)
        return {planned.error().to_string(), {}, {}, 0};
    Outcome outcome{
        "", {}, Json::parse(planned->config)["linux"]["resources"], resources.getDeviceRules().size()};
    for (auto file : resources.getFiles())
        outcome.files.push_back(std::string(file.getName().cStr()) + "=" + file.getValue().cStr());
    return outcome;
}

std::string of_flags(const Flags& flags) {
    auto text = resources_of_flags([&](const char* name) -> std::optional<std::string> {
        auto found = flags.find(name);
        return found == flags.end() ? std::nullopt : std::optional(found->second);
    });
    return text ? *text : text.error().to_string();
}

TEST(UpdateTest, WhatIsNotGivenStays) {
    Outcome outcome = update(R"({"memory": {"limit": 2000}})");
    EXPECT_THAT(outcome.files, ElementsAre("memory.max=2000", "memory.low=500", "cpu.weight=100"));
    EXPECT_EQ(outcome.resources["memory"], Json({{"limit", 2000}, {"reservation", 500}}));
    EXPECT_EQ(outcome.resources["devices"].size(), 1U);
    EXPECT_EQ(outcome.device_rules, 0U); // they stay as they are in the guest
}

// As runc: these say what is to be written now, not what the container has.
TEST(UpdateTest, SomeAreForgottenWhenTheyAreNotGiven) {
    Outcome outcome = update("{}");
    EXPECT_FALSE(outcome.resources["cpu"].contains("cpus"));
    EXPECT_FALSE(outcome.resources["cpu"].contains("quota"));
    EXPECT_FALSE(outcome.resources["pids"].contains("limit"));
}

TEST(UpdateTest, OfQuotaAndPeriodOneKeepsTheOther) {
    EXPECT_THAT(update(R"({"cpu": {"quota": 20}})").files, testing::Contains("cpu.max=20 10"));
    EXPECT_THAT(update(R"({"cpu": {"period": 30}})").files, testing::Contains("cpu.max=5 30"));
    EXPECT_THAT(update(R"({"cpu": {"period": 30, "quota": -1}})").files, testing::Contains("cpu.max=max 30"));
    EXPECT_THAT(update(R"({"cpu": {"quota": 50000}})", "{}").files, ElementsAre("cpu.max=50000 100000"));
}

TEST(UpdateTest, Memory) {
    EXPECT_THAT(update(R"({"memory": {"limit": -1}})", "{}").files,
                ElementsAre("memory.swap.max=max", "memory.max=max"));
    EXPECT_THAT(update(R"({"memory": {"swap": 1500}})").files, testing::Contains("memory.swap.max=500"));
    EXPECT_THAT(update(R"({"memory": {"swap": 500}})").error,
                HasSubstr("memory+swap limit should be >= memory limit"));
    EXPECT_THAT(update(R"({"memory": {"limit": null}})").files, testing::Contains("memory.max=1000"));
}

TEST(UpdateTest, IdleTakesTheSharesAway) {
    Outcome outcome = update(R"({"cpu": {"idle": 1}})");
    EXPECT_EQ(outcome.error, "");
    EXPECT_THAT(outcome.files, testing::Contains("cpu.idle=1"));
    EXPECT_THAT(outcome.files, testing::Not(testing::Contains(HasSubstr("cpu.weight"))));
}

TEST(UpdateTest, TheOthers) {
    EXPECT_THAT(update(R"({"pids": {"limit": 5}})", "{}").files, ElementsAre("pids.max=5"));
    EXPECT_THAT(update(R"({"pids": {"limit": -1}})", "{}").files, ElementsAre("pids.max=max"));
    EXPECT_THAT(update(R"({"pids": {"limit": 0}})", "{}").files, ElementsAre());
    EXPECT_THAT(update(R"({"blockIO": {"weight": 1000}})", "{}").files,
                ElementsAre("io.weight=default 10000"));
    EXPECT_THAT(update(R"({"unified": {"memory.high": "1"}})", "{}").files, ElementsAre("memory.high=1"));
}

TEST(UpdateTest, MistakesAreNamed) {
    EXPECT_THAT(update("{").error, HasSubstr("r.json"));
    EXPECT_THAT(update("[]").error, HasSubstr("an object is expected"));
    EXPECT_THAT(update(R"({"memory": 5})").error, HasSubstr("r.json: memory: "));
    EXPECT_THAT(update(R"({"memory": {"limit": "5"}})").error, HasSubstr("memory.limit"));
    EXPECT_THAT(update(R"({"blockIO": {"weight": 5}})").error, HasSubstr("blockIO.weight"));
    EXPECT_THAT(update(R"({"rdma": {"a": {"hcaHandles": 1}}})").error, HasSubstr("RDMA"));
    EXPECT_THAT(update("{}", "x").error, HasSubstr("saved config.json"));
    EXPECT_EQ(update("{}", "{}").error, "");
}

TEST(UpdateTest, Flags) {
    EXPECT_EQ(of_flags({}), "{}");
    EXPECT_EQ(
        of_flags({{"cpu-period", "10"}, {"cpu-quota", "-1"}, {"cpuset-cpus", "0-1"}, {"cpu-share", "2"}}),
        R"({"cpu":{"cpus":"0-1","period":10,"quota":-1,"shares":2}})");
    EXPECT_EQ(of_flags({{"memory", "1.5g"}, {"memory-swap", "-1"}, {"memory-reservation", "64 MiB"}}),
              R"({"memory":{"limit":1610612736,"reservation":67108864,"swap":-1}})");
    EXPECT_EQ(of_flags({{"pids-limit", "-1"}, {"blkio-weight", "100"}, {"cpu-idle", "1"}}),
              R"({"blockIO":{"weight":100},"cpu":{"idle":1},"pids":{"limit":-1}})");
    for (const char* size : {"4096", "4k", "4K", "4kb", "4KiB", "4 k", "4096b"})
        EXPECT_EQ(of_flags({{"memory", size}}), R"({"memory":{"limit":4096}})") << size;
}

TEST(UpdateTest, BadFlags) {
    for (const char* size : {"x", "-5", "4x", "4bb", "4kbb", "4kxb", "1e3", ".", "99999999999g", "4 kb b"})
        EXPECT_THAT(of_flags({{"memory", size}}), HasSubstr("invalid value for memory")) << size;
    EXPECT_THAT(of_flags({{"cpu-period", "-1"}}), HasSubstr("invalid value for cpu-period"));
    EXPECT_THAT(of_flags({{"cpu-quota", "1.5"}}), HasSubstr("invalid value for cpu-quota"));
}

} // namespace
} // namespace runvm::oci
