#include "cli/findings.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace runvm::cli {
namespace {

const std::vector<Finding> findings = {
    {"kernel", Finding::Status::ok, "/k", ""},
    {"accelerator", Finding::Status::warn, "tcg", "add the user to group kvm"},
};

TEST(Findings, TextHasTheNextStepBelow) {
    EXPECT_EQ(to_text(findings), "ok    kernel       /k\n"
                                 "warn  accelerator  tcg\n"
                                 "                   -> add the user to group kvm\n");
}

TEST(Findings, JsonHasAllFieldsAndSurvivesOddBytes) {
    std::vector<Finding> odd = findings;
    odd.push_back({"image", Finding::Status::fail, "/\xff\"\n", "x"});
    const auto json = nlohmann::json::parse(to_json(odd));
    ASSERT_EQ(json.size(), 3U);
    EXPECT_EQ(json[1]["name"], "accelerator");
    EXPECT_EQ(json[1]["status"], "warn");
    EXPECT_EQ(json[1]["detail"], "tcg");
    EXPECT_EQ(json[1]["next_step"], "add the user to group kvm");
    EXPECT_EQ(json[2]["status"], "fail");
}

TEST(Findings, OnlyAFailureFails) {
    EXPECT_EQ(exit_status({}), 0);
    EXPECT_EQ(exit_status(findings), 0);
    EXPECT_EQ(exit_status({{"a", Finding::Status::ok, "", ""}, {"b", Finding::Status::fail, "", "c"}}), 1);
}

} // namespace
} // namespace runvm::cli
