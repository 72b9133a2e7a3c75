// The file of `runvm spec` against runc's own (golden/runc-spec*.json, written by runc 1.1.5).

#include "bundle.h"

namespace runvm::oci::test {

namespace {

// The differences that are wanted: see spec_json.h.
std::string with_our_differences(std::string text) {
    text = replace_all(text, "\"1.0.2-dev\"", "\"1.3.0\"");
    text = replace_all(text, "\"hostname\": \"runc\"", "\"hostname\": \"runvm\"");
    std::string mount = "\t\t\t{\n\t\t\t\t\"type\": \"mount\"\n\t\t\t}";
    return replace_all(text, mount, mount + ",\n\t\t\t{\n\t\t\t\t\"type\": \"cgroup\"\n\t\t\t}");
}

} // namespace

TEST(spec_json, is_runcs_but_for_the_differences_wanted) {
    EXPECT_EQ(default_spec(), with_our_differences(read_source_file("tests/unit/oci/golden/runc-spec.json")));
}

TEST(spec_json, rootless_is_runcs_too) {
    EXPECT_EQ(rootless_spec(0, 0),
              with_our_differences(read_source_file("tests/unit/oci/golden/runc-spec-rootless.json")));
    Json json = Json::parse(rootless_spec(1000, 1001));
    EXPECT_EQ(json["linux"]["uidMappings"][0]["hostID"], 1000);
    EXPECT_EQ(json["linux"]["gidMappings"][0]["hostID"], 1001);
}

} // namespace runvm::oci::test
