// The table of fields, and what follows from it.

#include "bundle.h"
#include "oci/fields.h"

#include <set>

namespace runvm::oci::test {

class Fields : public Bundle {};

// RUNVM_UPDATE_GOLDEN=1 rewrites the document.
TEST(fields, the_document_is_generated_from_the_table) {
    if (std::getenv("RUNVM_UPDATE_GOLDEN") != nullptr)
        std::ofstream(std::string(RUNVM_SOURCE_DIR) + "/docs/spec-coverage.md") << spec_coverage_markdown();
    EXPECT_EQ(read_source_file("docs/spec-coverage.md"), spec_coverage_markdown());
}

TEST(fields, each_is_there_once_below_its_parent) {
    std::set<std::string> seen;
    for (const Field& field : fields()) {
        std::string path = field.path;
        EXPECT_TRUE(seen.insert(path).second) << path;
        size_t dot = path.rfind('.');
        if (dot != std::string::npos) {
            std::string parent = path.substr(0, dot);
            if (parent.ends_with("[]"))
                parent.resize(parent.size() - 2);
            EXPECT_TRUE(seen.count(parent)) << path;
        }
        bool needs_reason = field.handling != Handling::honoured;
        EXPECT_TRUE(!needs_reason || field.reason[0] != '\0') << path;
    }
}

TEST_F(Fields, unknown_keys_are_noted) {
    json_["process"]["args2"] = {"x"};
    json_["process"]["user.uid"] = 7;
    json_["x"]["y"] = 1;
    json_["mounts"][0]["z"] = 1;
    HostPlan plan = plan_ok();
    for (const char* path : {"process.args2", "process.user.uid", "x", "mounts[0].z"})
        EXPECT_NE(std::find(plan.notes.begin(), plan.notes.end(),
                            std::string(path) + ": is not in the specification and is ignored"),
                  plan.notes.end())
            << path;
}

TEST_F(Fields, a_key_in_the_wrong_case_is_an_error) { // Go's decoder, and so runc, would take it
    json_["process"]["ARGS"] = {"x"};
    EXPECT_EQ(error(), "config.json: process.ARGS: keys are case-sensitive; write process.args");
    json_["process"].erase("ARGS");
    json_["mounts"][0]["Type"] = "tmpfs";
    EXPECT_EQ(error(), "config.json: mounts[0].Type: keys are case-sensitive; write mounts[].type");
}

TEST_F(Fields, any_key_of_a_map_is_known) {
    json_["annotations"] = {{"anything.at[all]", "x"}};
    json_["linux"]["sysctl"] = {{"net.ipv4.ip_forward", "1"}};
    EXPECT_EQ(plan_ok().notes.size(), 1U); // that of the ambient capabilities
}

} // namespace runvm::oci::test
