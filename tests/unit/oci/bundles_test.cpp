// Whole bundles, as engines write them, against golden files of what the agent is told.
// RUNVM_UPDATE_GOLDEN=1 rewrites those.

#include "bundle.h"

#include <capnp/pretty-print.h>

namespace runvm::oci::test {

class Bundles : public Bundle {
protected:
    // What goes to the agent and to the host, as text; paths of this run and the seccomp program left out.
    std::string describe(const HostPlan& plan) {
        if (process().hasSeccomp()) {
            EXPECT_GT(process().getSeccomp().getProgram().size(), 0U);
            container_.getProcess().getSeccomp().initProgram(0); // differs with libseccomp's version
        }
        std::string text = std::string(capnp::prettyPrint(container()).flatten().cStr()) + "\n\nhost:\n";
        for (const ShareSource& share : plan.shares)
            text += "share " + share.name + " " + share.path + (share.readonly ? " readonly" : "") +
                    (share.readonly_recursive ? " readonly_recursive" : "") +
                    (share.readonly_when_created ? " readonly_when_created" : "") +
                    (share.recursive ? " recursive" : "") + (share.is_file ? " is_file" : "") + "\n";
        for (const HostNamespace& entry : plan.namespaces)
            text += "namespace " + std::to_string(entry.clone_flag) + " " + entry.path + "\n";
        text += "cgroup " + plan.cgroups_path + "\n";
        for (const std::string& note : plan.notes)
            text += "note " + note + "\n";
        return replace_all(text, folder_, "@BUNDLE@");
    }

    void expect_golden(const std::string& name, const std::string& actual) {
        std::string path = "tests/unit/oci/golden/" + name + ".txt";
        if (std::getenv("RUNVM_UPDATE_GOLDEN") != nullptr)
            std::ofstream(std::string(RUNVM_SOURCE_DIR) + "/" + path) << actual;
        EXPECT_EQ(read_source_file(path), actual);
    }

    void load(const std::string& name) {
        std::string text = read_source_file("tests/data/bundles/" + name + "/config.json");
        json_ = Json::parse(replace_all(text, "@BUNDLE@", folder_));
        for (const char* file : {"resolv.conf", "hostname", "hosts"})
            write(file);
        EXPECT_TRUE(os::make_folders(folder_ + "/volume", 0755));
    }
};

TEST_F(Bundles, default_spec) {
    expect_golden("default", describe(plan_ok()));
}

TEST_F(Bundles, docker) {
    load("docker");
    HostPlan plan = plan_ok();
    ASSERT_EQ(plan.hooks.prestart.size(), 1U);
    EXPECT_TRUE(plan.hooks.prestart[0].path.ends_with("/exe")) << "libnetwork-setkey";
    expect_golden("docker", describe(plan));
}

TEST_F(Bundles, docker_with_many_options) {
    load("docker-options");
    expect_golden("docker-options", describe(plan_ok()));
}

TEST_F(Bundles, docker_privileged_leaves_out_devices_that_only_the_host_has) {
    load("docker-privileged");
    HostPlan plan = plan_ok();
    std::vector<std::string> kept;
    for (auto device : container().getDevices())
        kept.emplace_back(device.getPath().cStr());
    for (const char* path : {"/dev/fuse", "/dev/net/tun", "/dev/loop0", "/dev/null"})
        EXPECT_NE(std::find(kept.begin(), kept.end(), path), kept.end()) << path;
    EXPECT_FALSE(process().hasSeccomp());
}

TEST_F(Bundles, containerd) {
    load("containerd");
    expect_golden("containerd", describe(plan_ok()));
}

TEST_F(Bundles, docker_exec) {
    std::string config = read_source_file("tests/data/bundles/docker/config.json");
    std::string text = read_source_file("tests/data/bundles/docker/process.json");
    capnp::MallocMessageBuilder message;
    auto built = message.initRoot<protocol::Process>();
    HostPlan plan;
    auto result = plan_process(text, "process.json", config, built, plan);
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(built.asReader().getArgs()[0], "/bin/busybox");
    EXPECT_TRUE(built.hasSeccomp()) << "an exec gets the container's profile";
    EXPECT_TRUE(plan.notes.empty());
}

} // namespace runvm::oci::test
