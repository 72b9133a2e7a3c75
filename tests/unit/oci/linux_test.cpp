// config-linux.md: namespaces, time offsets, sysctl, devices.

#include "bundle.h"
#include "oci/devices.h"

#include <linux/sched.h>

#include <set>

namespace runvm::oci::test {

class Linux : public Bundle {
protected:
    void set_namespaces(const std::vector<std::string>& types) {
        json_["linux"]["namespaces"] = Json::array();
        for (const auto& type : types)
            json_["linux"]["namespaces"].push_back({{"type", type}});
    }
    std::map<std::string, std::string> sysctl() {
        std::map<std::string, std::string> all;
        for (auto entry : container().getSysctl())
            all[entry.getKey()] = entry.getValue();
        return all;
    }
};

TEST_F(Linux, namespaces) {
    HostPlan plan = plan_ok();
    EXPECT_EQ(container().getNewNamespaces(),
              uint64_t{CLONE_NEWPID} | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS | CLONE_NEWCGROUP);
    EXPECT_EQ(plan.namespaces.size(), 6U);
}

TEST_F(Linux, the_hosts_namespaces_cannot_be_shared) {
    const std::set<std::string> all = {"pid", "network", "ipc", "uts", "mount"};
    for (const std::string& left_out : all) {
        std::vector<std::string> rest;
        for (const std::string& type : all)
            if (type != left_out)
                rest.push_back(type);
        set_namespaces(rest);
        auto result = plan();
        ASSERT_FALSE(result) << left_out;
        EXPECT_EQ(result.error().kind(), ErrorKind::unsupported);
        EXPECT_NE(result.error().message().find("no " + left_out + " namespace is listed"), std::string::npos)
            << result.error().message();
    }
    json_["linux"].erase("namespaces");
    EXPECT_NE(error(), "");
    json_.erase("linux");
    EXPECT_NE(error(), "");
}

TEST_F(Linux, cgroup_and_time_namespaces_may_be_left_out) {
    set_namespaces({"pid", "network", "ipc", "uts", "mount"});
    plan_ok();
    EXPECT_EQ(container().getNewNamespaces() & CLONE_NEWCGROUP, 0U);
}

TEST_F(Linux, namespaces_of_the_host_cannot_be_joined_but_for_a_network) {
    for (int i = 0; i < 6; ++i) {
        std::string type = json_["linux"]["namespaces"][i]["type"];
        if (type == "network")
            continue;
        std::string pointer = "/linux/namespaces/" + std::to_string(i) + "/path";
        EXPECT_EQ(error_kind_with(pointer, "/proc/1/ns/pid"), ErrorKind::unsupported) << type;
    }
    write("netns");
    json_["linux"]["namespaces"][1]["path"] = folder_ + "/netns";
    HostPlan plan = plan_ok();
    EXPECT_EQ(plan.namespaces[1].clone_flag, CLONE_NEWNET);
    EXPECT_EQ(plan.namespaces[1].path, folder_ + "/netns");
}

TEST_F(Linux, the_hosts_network_cannot_be_joined_by_path_either) {
    EXPECT_EQ(error_kind_with("/linux/namespaces/1/path", "/proc/self/ns/net"), ErrorKind::unsupported);
    EXPECT_EQ(error_with("/linux/namespaces/1/path", "/nothing"),
              "config.json: linux.namespaces[1].path: the network namespace /nothing is missing on the host");
    EXPECT_NE(error_with("/linux/namespaces/1/path", "relative"), "");
}

TEST_F(Linux, namespace_errors) {
    EXPECT_EQ(error_with("/linux/namespaces/0/type", "ipc"),
              "config.json: linux.namespaces[2]: malformed spec file: duplicated ns ipc");
    EXPECT_EQ(
        error_with("/linux/namespaces/0/type", "x"),
        "config.json: linux.namespaces[0].type: found \"x\"; allowed are cgroup, ipc, mount, network, pid, "
        "time, user, uts");
}

TEST_F(Linux, time_offsets) {
    json_["linux"]["timeOffsets"] = {{"monotonic", {{"secs", -2}, {"nanosecs", 5}}},
                                     {"boottime", {{"secs", 7}}}};
    EXPECT_EQ(error(),
              "config.json: linux.timeOffsets: time namespace offsets specified, but time namespace isn't "
              "enabled in the config");
    json_["linux"]["namespaces"].push_back({{"type", "time"}});
    plan_ok();
    EXPECT_EQ(container().getMonotonicOffsetNs(), -1'999'999'995);
    EXPECT_EQ(container().getBoottimeOffsetNs(), 7'000'000'000);
    EXPECT_NE(container().getNewNamespaces() & CLONE_NEWTIME, 0U);
    EXPECT_NE(error_with("/linux/timeOffsets/realtime", {{"secs", 1}}), "");
    EXPECT_NE(error_with("/linux/timeOffsets/boottime/secs", INT64_MAX), "");
    EXPECT_NE(error_with("/linux/timeOffsets/boottime/nanosecs", 1'000'000'000), "");
}

TEST_F(Linux, sysctl_keys_become_files) {
    json_["linux"]["sysctl"] = {{"net.ipv4.ip_forward", "1"},
                                {"net/ipv4/conf/eth0.1/forwarding", "0"},
                                {"net.ipv4.conf.eth0/2.forwarding", "0"},
                                {"kernel.shm_rmid_forced", "1"},
                                {"fs.mqueue.msg_max", "10"},
                                {"kernel.domainname", "d"}};
    plan_ok();
    std::map<std::string, std::string> expected = {{"net/ipv4/ip_forward", "1"},
                                                   {"net/ipv4/conf/eth0.1/forwarding", "0"},
                                                   {"net/ipv4/conf/eth0.2/forwarding", "0"},
                                                   {"kernel/shm_rmid_forced", "1"},
                                                   {"fs/mqueue/msg_max", "10"},
                                                   {"kernel/domainname", "d"}};
    EXPECT_EQ(sysctl(), expected);
}

TEST_F(Linux, sysctl_keys_outside_the_containers_namespaces_are_refused) {
    auto error_for = [&](const std::string& key) { return error_with("/linux/sysctl", {{key, "1"}}); };
    EXPECT_NE(error_for("kernel.panic").find("sysctl \"kernel.panic\" is not in a separate kernel namespace"),
              std::string::npos);
    EXPECT_NE(error_for("kernel.hostname").find("conflicts with the OCI \"hostname\" field"),
              std::string::npos);
    EXPECT_NE(
        error_for("user.max_user_namespaces").find("setting ucounts without a user namespace not allowed"),
        std::string::npos);
    EXPECT_NE(error_for("vm.swappiness"), "");
    EXPECT_NE(error_for(""), "");
    for (const char* key :
         {"net.", "net..ipv4", "net/../kernel/panic", "net.ipv4.//.x", "fs.mqueue./..", "net./."})
        EXPECT_NE(error_for(key), "") << key;
}

TEST_F(Linux, devices) {
    json_["linux"]["devices"] = {
        {{"path", "/dev/fuse"}, {"type", "c"}, {"major", 10}, {"minor", 229}, {"fileMode", 8630}, {"uid", 1}},
        {{"path", "/dev/p"}, {"type", "p"}},
        {{"path", "/dev/u"}, {"type", "u"}, {"major", 1}, {"minor", 3}, {"gid", 2}}};
    plan_ok();
    auto devices = container().getDevices();
    ASSERT_EQ(devices.size(), 3U);
    EXPECT_EQ(devices[0].getType(), 'c');
    EXPECT_EQ(devices[0].getMode(), 0666U) << "without the type's bits";
    EXPECT_EQ(devices[0].getUid(), 1U);
    EXPECT_EQ(devices[1].getType(), 'p');
    EXPECT_EQ(devices[2].getType(), 'c');
    EXPECT_EQ(devices[2].getMode(), 0666U);
    EXPECT_NE(error_with("/linux/devices/0/type", "x"), "");
    EXPECT_NE(error_with("/linux/devices/0/path", "dev/x"), "");
    EXPECT_NE(error_with("/linux/devices/0/major", -1), "");
    EXPECT_NE(error_with("/linux/devices/0/minor", 1 << 20), "");
}

TEST_F(Linux, a_device_that_only_the_host_has_is_refused) {
    // One that every Linux with a terminal driver registers, and that is not on the list of the guest's own.
    if (is_guest_device('c', 4, 0))
        GTEST_SKIP() << "this host has no /dev/tty0";
    json_["linux"]["devices"] = list_of({{"path", "/dev/tty0"}, {"type", "c"}, {"major", 4}, {"minor", 0}});
    EXPECT_EQ(error(),
              "config.json: linux.devices[0]: /dev/tty0 is a device of the host, which a container in a VM "
              "cannot reach; remove it");
    json_["linux"]["resources"]["devices"] = list_of({{"allow", true}, {"access", "rwm"}});
    HostPlan plan = plan_ok();
    EXPECT_EQ(container().getDevices().size(), 0U);
    EXPECT_EQ(plan.notes[0], "linux.devices[0]: /dev/tty0 is a device of the host and is left out");
}

TEST_F(Linux, what_cannot_cross_a_vm_is_refused) {
    auto refused = [&](const std::string& pointer, const Json& value) {
        EXPECT_EQ(error_kind_with(pointer, value), ErrorKind::unsupported) << pointer;
    };
    refused("/linux/intelRdt", {{"closID", "x"}});
    refused("/linux/netDevices", {{"eth0", {{"name", "x"}}}});
    refused("/linux/memoryPolicy", {{"mode", "MPOL_BIND"}});
    refused("/linux/resources/rdma", {{"mlx", {{"hcaHandles", 3}}}});
    for (const char* platform : {"vm", "windows", "zos", "solaris", "freebsd"})
        refused(std::string("/") + platform, {{"x", 1}});
}

TEST_F(Linux, empty_values_of_refused_fields_are_fine) {
    json_["linux"]["uidMappings"] = Json::array();
    json_["linux"]["intelRdt"] = Json::object();
    json_["linux"]["resources"]["blockIO"] = {{"weight", 0}};
    json_["vm"] = Json::object();
    plan_ok();
}

} // namespace runvm::oci::test
