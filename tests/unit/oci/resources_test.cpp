// config-linux.md, "resources".

#include "bundle.h"
#include "oci/resources.h"

namespace runvm::oci::test {

class Resources : public Bundle {
protected:
    // Every file as NAME=VALUE, with ? behind an optional one.
    std::vector<std::string> files(const Json& resources) {
        json_["linux"]["resources"] = resources;
        plan_ = plan_ok();
        std::vector<std::string> all;
        for (auto file : container().getResources().getFiles())
            all.push_back(std::string(file.getName().cStr()) + "=" + file.getValue().cStr() +
                          (file.getOptional() ? "?" : ""));
        return all;
    }
    using Files = std::vector<std::string>;
    HostPlan plan_;
    protocol::Resources::Demand::Reader demand() { return container().getResources().getDemand(); }
};

TEST_F(Resources, memory) {
    EXPECT_EQ(files({{"memory", {{"limit", 1000}, {"reservation", 500}, {"swap", 3000}}}}),
              (Files{"memory.swap.max=2000", "memory.max=1000", "memory.low=500"}));
    EXPECT_EQ(demand().getMemoryBytes(), 1000U);
    EXPECT_EQ(files({{"memory", {{"limit", -1}, {"reservation", -1}}}}),
              (Files{"memory.swap.max=max?", "memory.max=max", "memory.low=max"}));
    EXPECT_EQ(demand().getMemoryBytes(), 0U);
    EXPECT_EQ(files({{"memory", {{"limit", 1000}, {"swap", -1}}}}),
              (Files{"memory.swap.max=max?", "memory.max=1000"}));
    EXPECT_EQ(files({{"memory", {{"limit", 1000}, {"swap", 1000}}}}),
              (Files{"memory.swap.max=0?", "memory.max=1000"}));
    EXPECT_EQ(files({{"memory", {{"limit", -1}, {"swap", 7}}}}),
              (Files{"memory.swap.max=7", "memory.max=max"}));
    EXPECT_EQ(files({{"memory", {{"limit", 0}, {"swap", 0}}}}), Files{});
}

TEST_F(Resources, demand_is_of_what_the_files_say) {
    auto cpus = [&](Json json) {
        files(std::move(json));
        return std::pair(demand().getCpus(), demand().getCpusetEnd());
    };
    EXPECT_EQ(cpus({{"cpu", {{"quota", 150001}, {"period", 50000}}}}), std::pair(4U, 0U));
    EXPECT_EQ(cpus({{"cpu", {{"quota", 100000}}}}), std::pair(1U, 0U));
    EXPECT_EQ(cpus({{"cpu", {{"quota", -1}, {"period", 50000}}}}), std::pair(0U, 0U));
    EXPECT_EQ(cpus({{"cpu", {{"quota", INT64_MAX}, {"period", 1}}}}), std::pair(8192U, 0U));
    EXPECT_EQ(cpus({{"cpu", {{"cpus", "0-2,5"}}}}), std::pair(0U, 6U));
    EXPECT_EQ(cpus({{"cpu", {{"cpus", "7,0-3"}}}}), std::pair(0U, 8U));
    EXPECT_EQ(cpus({{"cpu", {{"cpus", "0-30:2/8"}}}}), std::pair(0U, 31U));
    EXPECT_EQ(cpus({{"cpu", {{"cpus", "0-99999"}}}}), std::pair(0U, 0U));
    EXPECT_EQ(cpus({{"cpu", {{"cpus", "all"}}}}), std::pair(0U, 0U));
    EXPECT_EQ(cpus({{"unified", {{"cpu.max", "300000 100000"}, {"cpuset.cpus", "1"}}}}), std::pair(3U, 2U));
    EXPECT_EQ(cpus({{"unified", {{"cpu.max", "300000"}}}}), std::pair(0U, 0U));
    files({{"memory", {{"limit", 1000}}}, {"unified", {{"memory.max", "max"}}}});
    EXPECT_EQ(demand().getMemoryBytes(), 0U);
}

TEST_F(Resources, memory_errors_are_runcs) {
    EXPECT_EQ(error_with("/linux/resources/memory", {{"swap", 5}}),
              "config.json: linux.resources.memory.swap: unable to set swap limit without memory limit");
    EXPECT_EQ(error_with("/linux/resources/memory", {{"limit", 9}, {"swap", 5}}),
              "config.json: linux.resources.memory.swap: memory+swap limit should be >= memory limit");
    EXPECT_NE(error_with("/linux/resources/memory", {{"limit", -2}}), "");
}

TEST_F(Resources, cgroup_v1_memory_fields_have_no_effect) {
    EXPECT_EQ(files({{"memory", {{"kernel", 1}, {"swappiness", 60}, {"disableOOMKiller", true}}}}), Files{});
    EXPECT_EQ(plan_.notes.size(), 4U); // and that of the ambient capabilities
}

TEST_F(Resources, cpu) {
    EXPECT_EQ(files({{"cpu",
                      {{"shares", 1024},
                       {"quota", 50000},
                       {"period", 100000},
                       {"burst", 5},
                       {"idle", 0},
                       {"cpus", "0-1"},
                       {"mems", "0"}}}}),
              (Files{"cpu.idle=0", "cpu.weight=100", "cpu.max=50000 100000", "cpu.max.burst=5",
                     "cpuset.cpus=0-1", "cpuset.mems=0"}));
    EXPECT_EQ(files({{"cpu", {{"quota", -1}}}}), Files{"cpu.max=max 100000"});
    EXPECT_EQ(files({{"cpu", {{"period", 5000}}}}), Files{"cpu.max=max 5000"});
    EXPECT_EQ(files({{"cpu", {{"shares", 0}, {"quota", 0}}}}), Files{});
}

// Computed by runc's ConvertCPUSharesToCgroupV2Value: its own test's table (opencontainers/cgroups,
// utils_test.go).
TEST(cpu_weight, follows_runc) {
    EXPECT_EQ(cpu_weight(0), 0U);
    EXPECT_EQ(cpu_weight(1), 1U);
    EXPECT_EQ(cpu_weight(2), 1U);
    EXPECT_EQ(cpu_weight(1024), 100U);
    EXPECT_EQ(cpu_weight(262144), 10000U);
    EXPECT_EQ(cpu_weight(UINT64_MAX), 10000U);
}

TEST_F(Resources, pids) {
    EXPECT_EQ(files({{"pids", {{"limit", 7}}}}), Files{"pids.max=7"});
    EXPECT_EQ(files({{"pids", {{"limit", -1}}}}), Files{"pids.max=max"});
    EXPECT_EQ(files({{"pids", {{"limit", 0}}}}), Files{"pids.max=1"});
    EXPECT_EQ(files({{"pids", Json::object()}}), Files{});
}

TEST_F(Resources, hugepages) {
    EXPECT_EQ(files({{"hugepageLimits", list_of({{"pageSize", "2MB"}, {"limit", 4096}})}}),
              (Files{"hugetlb.2MB.max=4096", "hugetlb.2MB.rsvd.max=4096?"}));
    for (const char* bad : {"", "2", "MB", "2MB/../x", "2mb", "2MB.x"})
        EXPECT_NE(error_with("/linux/resources/hugepageLimits/0/pageSize", bad), "") << bad;
}

TEST_F(Resources, unified) {
    EXPECT_EQ(files({{"unified", {{"memory.high", "5"}, {"io.max", "8:0 rbps=1\n8:16 wbps=2\n"}}}}),
              (Files{"io.max=8:0 rbps=1", "io.max=8:16 wbps=2", "memory.high=5"}));
    EXPECT_EQ(
        error_with("/linux/resources/unified", {{"../x.y", "1"}}),
        "config.json: linux.resources.unified.../x.y: unified resource \"../x.y\" must be a file name (no "
        "slashes)");
    EXPECT_NE(error_with("/linux/resources/unified", {{"memory", "1"}}), "");
    EXPECT_NE(error_with("/linux/resources/unified", {{"..", "1"}}), "");
}

TEST_F(Resources, block_io) {
    EXPECT_EQ(files({{"blockIO", {{"weight", 10}}}}), (Files{"io.weight=default 1?"}));
    EXPECT_EQ(files({{"blockIO", {{"weight", 500}}}}), (Files{"io.weight=default 4950?"}));
    EXPECT_EQ(files({{"blockIO", {{"weight", 0}}}}), Files());
    EXPECT_NE(error_with("/linux/resources/blockIO/weight", 9), "");
    EXPECT_NE(error_with("/linux/resources/blockIO/weight", 1001), "");
}

TEST_F(Resources, host_limits) {
    Json rate = {{"major", 8}, {"minor", 16}, {"rate", 1048576}};
    Json weights = list_of({{"major", 8}, {"minor", 0}, {"weight", 100}});
    weights.push_back({{"major", 8}, {"minor", 0}});
    Json rates = list_of(rate);
    Json two_rates = list_of(rate);
    two_rates.push_back(rate);
    files({{"memory", {{"limit", 1000}, {"swap", -1}, {"reservation", 500}}},
           {"cpu", {{"shares", 512}, {"quota", 20000}, {"period", 50000}, {"cpus", "0-1"}, {"mems", "0"}}},
           {"blockIO",
            {{"weight", 500},
             {"weightDevice", weights},
             {"throttleReadBpsDevice", rates},
             {"throttleWriteBpsDevice", rates},
             {"throttleReadIOPSDevice", rates},
             {"throttleWriteIOPSDevice", two_rates}}}});
    const cgroup::Limits& limits = plan_.host_limits;
    EXPECT_EQ(limits.memory_bytes, 1000);
    EXPECT_EQ(limits.memory_swap_bytes, -1);
    EXPECT_EQ(limits.reservation_bytes, 500);
    EXPECT_EQ(limits.cpu_shares, 512U);
    EXPECT_EQ(limits.cpu_weight, 59U);
    EXPECT_EQ(limits.cpu_quota_us, 20000);
    EXPECT_EQ(limits.cpu_period_us, 50000U);
    EXPECT_EQ(limits.cpus, "0-1");
    EXPECT_EQ(limits.mems, "0");
    EXPECT_EQ(limits.block_weight, 500U);
    EXPECT_EQ(limits.block_weight_v2, 4950U);
    ASSERT_EQ(limits.device_weights.size(), 1U) << "one without a weight says nothing";
    EXPECT_EQ(limits.device_weights[0].weight, 100U);
    ASSERT_EQ(limits.read_bytes.size(), 1U);
    EXPECT_EQ(limits.read_bytes[0].major, 8);
    EXPECT_EQ(limits.read_bytes[0].minor, 16);
    EXPECT_EQ(limits.read_bytes[0].rate, 1048576U);
    EXPECT_EQ(limits.write_bytes.size(), 1U);
    EXPECT_EQ(limits.read_operations.size(), 1U);
    EXPECT_EQ(limits.write_operations.size(), 2U);
}

TEST_F(Resources, host_limits_that_name_no_device) {
    for (const char* key : {"throttleReadBpsDevice", "weightDevice"}) {
        std::string path = std::string("/linux/resources/blockIO/") + key;
        EXPECT_NE(error_with(path, list_of({{"major", 8}, {"rate", 1}})), "");
        EXPECT_NE(error_with(path, list_of({{"major", -1}, {"minor", 0}})), "");
        EXPECT_NE(error_with(path, list_of({{"major", 8}, {"minor", 1048576}})), "");
    }
}

TEST_F(Resources, device_rules_end_with_runcs_defaults) {
    files({{"devices", list_of({{"allow", true}, {"type", "b"}, {"major", 8}, {"access", "rm"}})}});
    auto rules = container().getResources().getDeviceRules();
    ASSERT_EQ(rules.size(), 12U);
    EXPECT_TRUE(rules[0].getAllow());
    EXPECT_EQ(rules[0].getType(), 'b');
    EXPECT_EQ(rules[0].getMajor(), 8);
    EXPECT_EQ(rules[0].getMinor(), -1);
    EXPECT_EQ(rules[0].getAccess(), "rm");
    EXPECT_EQ(rules[3].getMinor(), 3) << "/dev/null";
    files(Json::object());
    EXPECT_EQ(container().getResources().getDeviceRules().size(), 11U);
}

TEST_F(Resources, device_rule_errors) {
    auto error_for = [&](const Json& rule) {
        return error_with("/linux/resources/devices", Json::array({rule}));
    };
    EXPECT_EQ(error_for({{"allow", true}}),
              "config.json: linux.resources.devices[0].access: device access cannot be empty");
    EXPECT_NE(error_for({{"access", "rx"}}), "");
    EXPECT_NE(error_for({{"access", "r"}, {"type", "p"}}), "");
    EXPECT_NE(error_for({{"access", "r"}, {"major", -2}}), "");
}

} // namespace runvm::oci::test
