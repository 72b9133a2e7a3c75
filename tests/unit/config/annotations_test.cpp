// What a bundle's annotations may set.

#include "config/annotations.h"
#include "config/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runvm::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Annotations = std::map<std::string, std::string>;

Config allowing(std::vector<std::string> keys) {
    Config config;
    config.annotations.allowed = std::move(keys);
    return config;
}

std::string error_of(const Config& config, const Annotations& annotations) {
    auto made = with_annotations(config, annotations);
    return made ? "no error" : made.error().to_string();
}

TEST(AnnotationsTest, SetWhatIsAllowed) {
    Config config =
        allowing({"hypervisor.vcpus", "hypervisor.memory_mib", "logging.level", "shared_fs.options"});
    auto made = with_annotations(config, {{"io.runvm.config.hypervisor.vcpus", "3"},
                                          {"io.runvm.config.hypervisor.memory_mib", "512"},
                                          {"io.runvm.config.logging.level", "debug"},
                                          {"io.runvm.config.shared_fs.options", R"(["a=b,c", "d"])"},
                                          {"io.kubernetes.cri.container-type", "sandbox"}});
    ASSERT_TRUE(made) << made.error().to_string();
    EXPECT_EQ(made->hypervisor.vcpus, 3U);
    EXPECT_EQ(made->hypervisor.memory_mib, 512U);
    EXPECT_EQ(made->logging.level, "debug");
    EXPECT_THAT(made->shared_fs.options, ElementsAre("a=b,c", "d"));
}

TEST(AnnotationsTest, NothingElse) {
    EXPECT_EQ(error_of(allowing({}), {{"io.runvm.config.hypervisor.vcpus", "2"}}),
              "annotation io.runvm.config.hypervisor.vcpus: the configuration does not allow it; its "
              "annotations.allowed has no key");
    EXPECT_THAT(
        error_of(allowing({"hypervisor.vcpus", "logging.level"}), {{"io.runvm.config.paths.run", "/x"}}),
        HasSubstr("has hypervisor.vcpus, logging.level"));
    EXPECT_THAT(error_of(allowing({"hypervisor.vcpus"}), {{"io.runvm.config.", "2"}}),
                HasSubstr("does not allow"));
    EXPECT_EQ(error_of(allowing({}), {{"io.runvm.configuration", "2"}}), "no error");
}

TEST(AnnotationsTest, AreCheckedAsTheFileIs) {
    Config config = allowing({"hypervisor.vcpus", "hypervisor.kernel", "shared_fs.options"});
    for (const char* value : {"", "0", "241", "-1", "2 ", "two", "99999999999999999999", "2\n"})
        EXPECT_THAT(error_of(config, {{"io.runvm.config.hypervisor.vcpus", value}}),
                    HasSubstr("allowed: an integer from 1 to 240"));
    EXPECT_THAT(error_of(config, {{"io.runvm.config.hypervisor.kernel", "vmlinux"}}),
                HasSubstr("io.runvm.config.hypervisor.kernel: found \"vmlinux\", allowed: an absolute path"));
    for (const char* value : {"a", "[1]", "[\"a\"", "[\"a\"]\n[paths]\nrun = \"/x\"", "[\"\"]"})
        EXPECT_THAT(error_of(config, {{"io.runvm.config.shared_fs.options", value}}),
                    HasSubstr("allowed: a list of"));
}

TEST(AnnotationsTest, WhereThingsAreKeptIsTheFilesBusiness) {
    for (const Key& key : keys()) {
        std::string table = key.name.substr(0, key.name.find('.'));
        bool of_the_machine =
            table == "hypervisor" || table == "channel" || table == "shared_fs" || table == "logging";
        EXPECT_EQ(may_be_annotated(key.name), of_the_machine) << key.name;
    }
    EXPECT_FALSE(may_be_annotated("hypervisor"));
    EXPECT_THAT(parse("annotations.allowed = [\"paths.run\"]", "x").error().message(),
                HasSubstr("found \"paths.run\""));
    EXPECT_TRUE(parse("annotations.allowed = [\"hypervisor.vcpus\"]", "x"));
}

} // namespace
} // namespace runvm::config
