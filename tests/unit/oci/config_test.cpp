// The shape of a config.json, and its root, hostname, annotations and version.

#include "bundle.h"

#include <unistd.h>

namespace runvm::oci::test {

using Config = Bundle;

TEST_F(Config, malformed_text_names_line_column_and_byte) {
    auto result = plan_text("{\n \"a\": [1, }");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind(), ErrorKind::invalid_argument);
    EXPECT_EQ(
        result.error().message().rfind("config.json: malformed JSON at line 2, column 11 (byte 13): ", 0), 0U)
        << result.error().message();
}

TEST_F(Config, numbers_out_of_range_are_malformed) {
    auto result = plan_text("{\"a\": 1e999}");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message(), "config.json: malformed JSON at line 1, column 11 (byte 11): number "
                                        "overflow parsing '1e999'");
}

TEST_F(Config, empty_text_is_malformed) {
    EXPECT_FALSE(plan_text(""));
    EXPECT_FALSE(plan_text("   "));
}

TEST_F(Config, trailing_text_is_malformed) {
    EXPECT_FALSE(plan_text(json_.dump() + "x"));
}

TEST_F(Config, a_key_that_comes_twice_is_refused) {
    auto result = plan_text(R"({"process": {"cwd": "/", "cwd": "/tmp"}})");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message(), "config.json: the key \"cwd\" comes twice in one object; keep one");
}

TEST_F(Config, depth_is_bounded) {
    auto result = plan_text(std::string(100000, '['));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message(), "config.json: nested deeper than the 64 levels allowed");
}

TEST_F(Config, size_is_bounded) {
    auto result = plan_text(std::string((16U << 20U) + 1, ' '));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message(), "config.json is larger than the 16777216 bytes allowed");
}

TEST_F(Config, number_of_elements_is_bounded) {
    EXPECT_EQ(error_with("/process/env", Json(std::vector<std::string>(65537, "A=b"))),
              "config.json: process.env: has 65537 elements; at most 65536 are allowed");
}

TEST_F(Config, other_than_an_object_is_refused) {
    EXPECT_EQ(plan_text("[]").error().message(), "config.json: found an array; an object is expected");
    EXPECT_EQ(error_with("/process", 3), "config.json: process: found 3; an object is expected");
    EXPECT_EQ(error_with("/mounts", "x"), "config.json: mounts: found \"x\"; an array is expected");
}

TEST_F(Config, strings_with_nul_are_refused) {
    EXPECT_EQ(error_with("/process/args/0", std::string("s\0h", 3)),
              "config.json: process.args[0]: contains a NUL byte");
    json_["annotations"][std::string("a\0b", 3)] = "x";
    EXPECT_NE(error().find("contains a NUL byte"), std::string::npos);
}

TEST_F(Config, null_counts_as_absent) {
    json_["hooks"] = nullptr;
    json_["linux"]["seccomp"] = nullptr;
    json_["process"]["rlimits"] = nullptr;
    plan_ok();
    EXPECT_EQ(process().getRlimits().size(), 0U);
}

TEST_F(Config, version) {
    EXPECT_EQ(plan_ok().oci_version, "1.3.0");
    EXPECT_EQ(error_with("/ociVersion", "1.0.2-dev"), "");
    EXPECT_EQ(error_with("/ociVersion", "2.0.0"), "config.json: ociVersion: found \"2.0.0\"; a version 1.x "
                                                  "of the runtime specification is expected, up "
                                                  "to 1.3.0");
}

TEST_F(Config, annotations_go_to_the_host) {
    json_["annotations"] = {{"a", "b"}, {"io.kubernetes.cri.sandbox-id", "x"}};
    EXPECT_EQ(plan_ok().annotations.at("io.kubernetes.cri.sandbox-id"), "x");
    EXPECT_EQ(error_with("/annotations", {{"a", 1}}),
              "config.json: annotations.a: found 1; a string is expected");
    EXPECT_EQ(error_with("/annotations", {{"", "x"}}),
              "config.json: annotations.: the key of an annotation may not be empty");
}

TEST_F(Config, root) {
    HostPlan plan = plan_ok();
    EXPECT_EQ(plan.rootfs, folder_ + "/rootfs");
    ASSERT_FALSE(plan.shares.empty());
    EXPECT_EQ(plan.shares[0].name, "rootfs");
    EXPECT_TRUE(plan.shares[0].readonly_when_created);
    EXPECT_FALSE(plan.shares[0].readonly);
    EXPECT_TRUE(container().getRootfsReadonly());

    json_["root"] = {{"path", folder_ + "/rootfs/"}};
    EXPECT_EQ(plan_ok().rootfs, folder_ + "/rootfs");
    EXPECT_FALSE(container().getRootfsReadonly());
}

TEST_F(Config, root_errors) {
    ASSERT_EQ(::symlink("rootfs", (folder_ + "/link").c_str()), 0);
    write("file");
    EXPECT_EQ(error_with("/root", nullptr), "config.json: root: root must be specified");
    EXPECT_EQ(error_with("/root/path", "link"),
              "config.json: root.path: invalid rootfs: not an absolute path, or a symlink");
    EXPECT_EQ(error_with("/root/path", "nothing"),
              "config.json: root.path: invalid rootfs: " + folder_ + "/nothing is missing");
    EXPECT_EQ(error_with("/root/path", "file"),
              "config.json: root.path: invalid rootfs: " + folder_ + "/file is not a folder");
    EXPECT_EQ(error_with("/root/path", ""), "config.json: root.path: found \"\"; a path is expected");
}

TEST_F(Config, a_bundle_behind_a_link_is_the_real_one) {
    std::string link = folder_ + "/link";
    ASSERT_EQ(::symlink(folder_.c_str(), link.c_str()), 0);
    message_ = std::make_unique<capnp::MallocMessageBuilder>();
    auto result = plan_container(json_.dump(), "c", link, message_->initRoot<protocol::Container>());
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(result->rootfs, folder_ + "/rootfs");
}

TEST_F(Config, host_and_domain_name) {
    json_["hostname"] = "h";
    json_["domainname"] = "d";
    EXPECT_EQ(plan_ok().hostname, "h");
    EXPECT_EQ(container().getHostname(), "h");
    EXPECT_EQ(container().getDomainname(), "d");
    EXPECT_EQ(error_with("/hostname", std::string(64, 'a')), "");
    EXPECT_NE(error_with("/hostname", std::string(65, 'a')).find("at most 64 characters"), std::string::npos);
    EXPECT_NE(error_with("/domainname", std::string(65, 'a')).find("at most 64 characters"),
              std::string::npos);
}

TEST_F(Config, paths_of_linux) {
    json_["linux"]["rootfsPropagation"] = "rslave";
    json_["linux"]["cgroupsPath"] = "/a/b";
    EXPECT_EQ(plan_ok().cgroups_path, "/a/b");
    EXPECT_EQ(container().getRootfsPropagation(), (1U << 19U) | 16384U); // MS_SLAVE | MS_REC
    EXPECT_EQ(container().getMaskedPaths()[0], "/proc/acpi");
    EXPECT_EQ(container().getReadonlyPaths()[0], "/proc/bus");
    EXPECT_EQ(error_with("/linux/rootfsPropagation", "x"),
              "config.json: linux.rootfsPropagation: rootfsPropagation=x is not supported");
    EXPECT_EQ(error_with("/linux/maskedPaths/1", "proc"),
              "config.json: linux.maskedPaths[1]: found \"proc\"; an absolute path is expected");
}

TEST_F(Config, personality) {
    plan_ok();
    EXPECT_EQ(container().getPersonality(), 0xffffffffU);
    json_["linux"]["personality"] = {{"domain", "LINUX32"}};
    plan_ok();
    EXPECT_EQ(container().getPersonality(), 8U);
    EXPECT_EQ(error_with("/linux/personality/domain", "SVR4"),
              "config.json: linux.personality.domain: found \"SVR4\"; allowed are LINUX, LINUX32");
    EXPECT_EQ(error_kind_with("/linux/personality/flags", Json::array({"X"})), ErrorKind::unsupported);
}

} // namespace runvm::oci::test
