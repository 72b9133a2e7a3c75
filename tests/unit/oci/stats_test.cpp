// The lines of events.

#include "oci/stats.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace runvm::oci {
namespace {

using Json = nlohmann::json;

const std::map<std::string, std::string> files = {
    {"cpu.stat",
     "usage_usec 30\nuser_usec 10\nsystem_usec 20\nnr_periods 4\nnr_throttled 3\nthrottled_usec 2\n"},
    {"cpu.pressure",
     "some avg10=1.50 avg60=0.00 avg300=0.00 total=77\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=8\n"},
    {"memory.stat", "anon 4096\nfile 8192\n"},
    {"memory.current", "20480\n"},
    {"memory.max", "max\n"},
    {"memory.peak", "40960\n"},
    {"memory.swap.current", "0\n"},
    {"memory.swap.max", "max\n"},
    {"memory.pressure", ""},
    {"pids.current", "3\n"},
    {"pids.max", "max\n"},
    {"io.stat", "8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n"},
    {"hugetlb.2MB.rsvd.current", "2097152\n"},
    {"hugetlb.2MB.events", "max 9\n"},
};

// What runc 1.3 writes of these (types/events.go).
const char* const expected =
    R"({"type":"stats","id":"c1","data":{"cpu":{"usage":{"total":30000,"kernel":20000,"user":10000},)"
    R"("throttling":{"periods":4,"throttledPeriods":3,"throttledTime":2000},)"
    R"("psi":{"some":{"avg10":1.5,"avg60":0.0,"avg300":0.0,"total":77},)"
    R"("full":{"avg10":0.0,"avg60":0.0,"avg300":0.0,"total":8}}},)"
    R"("cpuset":{"cpu_exclusive":0,"mem_hardwall":0,"mem_exclusive":0,"memory_migrate":0,"memory_spread_page":0,)"
    R"("memory_spread_slab":0,"memory_pressure":0,"sched_load_balance":0,"sched_relax_domain_level":0},)"
    R"("memory":{"cache":8192,"usage":{"limit":18446744073709551615,"usage":20480,"max":40960,"failcnt":0},)"
    R"("swap":{"limit":18446744073709551615,"usage":20480,"failcnt":0},"kernel":{"limit":0,"failcnt":0},)"
    R"("kernelTCP":{"limit":0,"failcnt":0},"raw":{"anon":4096,"file":8192}},"pids":{"current":3},)"
    R"("blkio":{"ioServiceBytesRecursive":[{"major":8,"minor":16,"op":"Read","value":1},)"
    R"({"major":8,"minor":16,"op":"Write","value":2}],)"
    R"("ioServicedRecursive":[{"major":8,"minor":16,"op":"Read","value":3},)"
    R"({"major":8,"minor":16,"op":"Write","value":4}]},)"
    R"("hugetlb":{"2MB":{"usage":2097152,"failcnt":9}},"intel_rdt":{},"network_interfaces":null}})"
    "\n";

TEST(StatsTest, HasRuncsShape) {
    EXPECT_EQ(stats_event("c1", files), expected);
}

TEST(StatsTest, AsksForWhatItReads) {
    for (const auto& [name, text] : files)
        EXPECT_NE(std::find(stats_files().begin(), stats_files().end(), name), stats_files().end()) << name;
}

TEST(StatsTest, Limits) {
    auto limited = files;
    limited["memory.max"] = "1048576\n";
    limited["memory.swap.max"] = "4096\n";
    limited["pids.max"] = "10\n";
    Json data = Json::parse(stats_event("c1", limited))["data"];
    EXPECT_EQ(data["memory"]["usage"]["limit"], 1048576);
    EXPECT_EQ(data["memory"]["swap"]["limit"], 1048576 + 4096);
    EXPECT_EQ(data["pids"]["limit"], 10);
}

TEST(StatsTest, AGuestWithoutFiguresHasNone) {
    Json data = Json::parse(stats_event("c1", {}))["data"];
    EXPECT_EQ(data["cpu"]["usage"]["user"], 0);
    EXPECT_FALSE(data["cpu"].contains("psi"));
    EXPECT_FALSE(data["memory"].contains("raw"));
    EXPECT_EQ(data["blkio"], Json::object());
    EXPECT_EQ(data["hugetlb"], Json::object());
}

TEST(StatsTest, AGuestsNonsenseIsLeftOut) {
    std::map<std::string, std::string> nonsense;
    for (const std::string& name : stats_files())
        nonsense[name] =
            "x\n=\n: =1\n1:2 =\n1:2 rbytes\n1:2 rbytes=-1\nsome avg10=1e400 total=x avg60=nan\nsome x "
            "\x1b 18446744073709551616\n\xff 5\n";
    Json data = Json::parse(stats_event("c1", nonsense))["data"];
    EXPECT_EQ(data["blkio"]["ioServiceBytesRecursive"], Json());
    EXPECT_FALSE(data["memory"].contains("raw"));
    EXPECT_EQ(data["cpu"]["psi"]["some"]["avg60"], 0);
}

TEST(StatsTest, Oom) {
    EXPECT_EQ(oom_event("c1"), "{\"type\":\"oom\",\"id\":\"c1\"}\n");
}

} // namespace
} // namespace runvm::oci
