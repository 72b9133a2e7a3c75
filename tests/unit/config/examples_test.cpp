// examples/: what tests/integration/engines does not start an engine with is at least what its engine would
// read.
#include "os/file.h"

#define TOML_EXCEPTIONS 0
#define TOML_ASSERT(expression) static_assert(true) // as in src/config/config.cpp
#include <toml++/toml.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace runvm::config {
namespace {

constexpr const char* installed = "/usr/local/bin/runvm";

std::string example(const std::string& name) {
    auto text = os::read_file(std::string(RUNVM_SOURCE_DIR) + "/examples/" + name);
    EXPECT_TRUE(text.ok()) << name;
    return text ? *text : "";
}

toml::table table_of(const std::string& name) {
    toml::parse_result parsed = toml::parse(example(name));
    EXPECT_TRUE(parsed.succeeded()) << name << ": " << parsed.error().description();
    return parsed.succeeded() ? std::move(parsed).table() : toml::table();
}

TEST(Examples, ContainerdOfBothSyntaxesHasTheHandler) {
    struct {
        const char* file;
        int version;
        const char* plugin;
    } const cases[] = {{"containerd/config-1.6.toml", 2, "io.containerd.grpc.v1.cri"},
                       {"containerd/config-2.toml", 3, "io.containerd.cri.v1.runtime"}};
    for (const auto& [file, version, plugin] : cases) {
        toml::table config = table_of(file);
        EXPECT_EQ(config["version"].value<int>(), version) << file;
        auto handler = config["plugins"][plugin]["containerd"]["runtimes"]["runvm"];
        EXPECT_EQ(handler["runtime_type"].value<std::string>(), "io.containerd.runc.v2") << file;
        EXPECT_EQ(handler["privileged_without_host_devices"].value<bool>(), true) << file;
        EXPECT_EQ(handler["options"]["BinaryName"].value<std::string>(), installed) << file;
    }
}

TEST(Examples, PodmanAndCrioKnowTheRuntime) {
    toml::table podman = table_of("podman/containers.conf.d/50-runvm.conf");
    EXPECT_EQ(podman["engine"]["runtimes"]["runvm"][0].value<std::string>(), installed);
    auto crio = table_of("crio/crio.conf.d/50-runvm.conf");
    auto runtime = crio["crio"]["runtime"]["runtimes"]["runvm"];
    EXPECT_EQ(runtime["runtime_path"].value<std::string>(), installed);
    EXPECT_EQ(runtime["runtime_type"].value<std::string>(), "oci");
}

TEST(Examples, KubernetesNamesTheHandler) {
    std::string runtime_class = example("kubernetes/runtimeclass.yaml");
    for (const char* line : {"\napiVersion: node.k8s.io/v1\n", "\nkind: RuntimeClass\n", "\n  name: runvm\n",
                             "\nhandler: runvm\n"})
        EXPECT_THAT(runtime_class, ::testing::HasSubstr(line));
}

} // namespace
} // namespace runvm::config
