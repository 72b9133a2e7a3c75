// config-linux.md, "User namespace mappings"; config.md, id-mapped mounts.

#include "bundle.h"

#include <linux/sched.h>
#include <sys/mount.h>

namespace runvm::oci::test {

namespace {

Json mapping(uint64_t container_id, uint64_t host_id, uint64_t size) {
    return {{"containerID", container_id}, {"hostID", host_id}, {"size", size}};
}

} // namespace

class IdMappings : public Bundle {
protected:
    IdMappings() { EXPECT_TRUE(os::make_folders(folder_ + "/folder", 0755)); }
    void map_ids() {
        json_["linux"]["namespaces"].push_back({{"type", "user"}});
        json_["linux"]["uidMappings"] = list_of(mapping(0, 100000, 65536));
        json_["linux"]["gidMappings"] = list_of(mapping(0, 200000, 65536));
    }
    void bind(const Json& options) {
        json_["mounts"] =
            list_of({{"destination", "/d"}, {"type", "none"}, {"source", "folder"}, {"options", options}});
    }
};

TEST_F(IdMappings, of_a_user_namespace) {
    map_ids();
    json_["linux"]["uidMappings"].push_back(mapping(100000, 0, 1));
    HostPlan plan = plan_ok();
    EXPECT_NE(container().getNewNamespaces() & CLONE_NEWUSER, 0U);
    EXPECT_EQ(plan.id_mappings.uids, (std::vector<os::IdMapping>{{0, 100000, 65536}, {100000, 0, 1}}));
    ASSERT_EQ(container().getUidMappings().size(), 2U);
    EXPECT_EQ(container().getUidMappings()[1].getContainerId(), 100000U);
    EXPECT_EQ(container().getUidMappings()[1].getHostId(), 0U);
    ASSERT_EQ(container().getGidMappings().size(), 1U);
    EXPECT_EQ(container().getGidMappings()[0].getHostId(), 200000U);
    EXPECT_EQ(container().getGidMappings()[0].getSize(), 65536U);
}

TEST_F(IdMappings, without_a_user_namespace_they_are_refused_and_the_reverse) {
    EXPECT_EQ(
        error_with("/linux/gidMappings", list_of(mapping(0, 1, 1))),
        "config.json: linux.gidMappings: user namespace mappings specified, but user namespace isn't enabled "
        "in the config");
    map_ids();
    EXPECT_EQ(error_with("/linux/uidMappings", Json::array()),
              "config.json: linux.uidMappings: user namespaces enabled, but no uid mappings found");
    EXPECT_EQ(error_with("/linux/gidMappings", nullptr),
              "config.json: linux.gidMappings: user namespaces enabled, but no gid mappings found");
    EXPECT_EQ(error_with("/linux/gidMappings", list_of(mapping(1, 1, 1))),
              "config.json: linux.gidMappings: user namespaces enabled, but no mapping found for gid 0");
}

TEST_F(IdMappings, a_user_namespace_of_the_host_is_refused) {
    map_ids();
    json_["linux"]["namespaces"].back()["path"] = "/proc/1/ns/user";
    auto result = plan();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind(), ErrorKind::unsupported);
    EXPECT_EQ(result.error().message(),
              "config.json: linux.namespaces[6].path: a user namespace of the host cannot "
              "be joined from a VM; leave the path out for a new one");
}

TEST_F(IdMappings, each_has_to_be_one_that_the_kernel_takes) {
    map_ids();
    auto error_for = [&](const Json& second) {
        Json list = json_["linux"]["uidMappings"];
        list.push_back(second);
        return error_with("/linux/uidMappings", list);
    };
    const std::string at = "config.json: linux.uidMappings[1]";
    EXPECT_EQ(error_for(mapping(70000, 1, 1)), "");
    EXPECT_EQ(error_for(mapping(70000, 1, 0)), at + ".size: found 0; at least one id is mapped");
    EXPECT_EQ(error_for(mapping(70000, 4294967294, 1)), "");
    EXPECT_EQ(error_for(mapping(70000, 4294967294, 2)),
              at + ": hostID 4294967294 with size 2 goes beyond the last id, 4294967294");
    EXPECT_NE(error_for(mapping(4294967295, 1, 1)).find(at + ".containerID: "), std::string::npos);
    EXPECT_NE(error_for(mapping(70000, 1, uint64_t{1} << 32U)).find(at + ".size: "), std::string::npos);
    const std::string overlaps =
        at + ": overlaps mapping 0; each id can be mapped once, in the container and on the host";
    EXPECT_EQ(error_for(mapping(65535, 1, 1)), overlaps);
    EXPECT_EQ(error_for(mapping(65536, 1, 1)), "");
    EXPECT_EQ(error_for(mapping(70000, 99999, 2)), overlaps);
    EXPECT_EQ(error_for(mapping(70000, 99999, 1)), "");
    EXPECT_NE(error_for({{"containerID", "0"}, {"hostID", 1}, {"size", 1}}), "");
    EXPECT_NE(error_for("x"), "");
}

TEST_F(IdMappings, there_are_as_many_as_the_kernel_takes) {
    map_ids();
    auto error_for = [&](uint64_t count, uint64_t first) {
        Json list = Json::array();
        for (uint64_t i = 0; i < count; ++i)
            list.push_back(mapping(i, first + i, 1));
        return error_with("/linux/uidMappings", list);
    };
    EXPECT_EQ(error_for(340, 1), "");
    EXPECT_EQ(error_for(341, 1),
              "config.json: linux.uidMappings: found 341 mappings; the kernel takes at most 340");
    EXPECT_EQ(
        error_for(340, 1000000),
        "config.json: linux.uidMappings: the mappings take 4650 characters; the kernel takes at most 4095");
}

TEST_F(IdMappings, sysctls_of_the_user_namespace_need_one) {
    json_["linux"]["sysctl"] = {{"user.max_inotify_watches", "7"}};
    EXPECT_NE(error(), "");
    map_ids();
    EXPECT_EQ(error(), "");
    EXPECT_EQ(container().getSysctl()[0].getKey(), "user/max_inotify_watches");
}

TEST_F(IdMappings, of_a_mount) {
    bind({"rbind"});
    json_["mounts"][0]["uidMappings"] = list_of(mapping(5, 1000, 2));
    json_["mounts"][0]["gidMappings"] = list_of(mapping(6, 2000, 3));
    HostPlan plan = plan_ok();
    EXPECT_EQ(plan.shares[1].id_mappings.uids, (std::vector<os::IdMapping>{{5, 1000, 2}}));
    EXPECT_EQ(plan.shares[1].id_mappings.gids, (std::vector<os::IdMapping>{{6, 2000, 3}}));
    EXPECT_FALSE(plan.shares[1].id_mapped_recursive);
    EXPECT_TRUE(plan.shares[0].id_mappings.empty());
    bind({"rbind", "ridmap"});
    json_["mounts"][0]["uidMappings"] = list_of(mapping(5, 1000, 2));
    json_["mounts"][0]["gidMappings"] = list_of(mapping(6, 2000, 3));
    EXPECT_TRUE(plan_ok().shares[1].id_mapped_recursive);
}

TEST_F(IdMappings, of_a_mount_that_names_none_are_the_containers) {
    map_ids();
    for (const char* option : {"idmap", "ridmap"}) {
        bind({"rbind", option});
        HostPlan plan = plan_ok();
        EXPECT_EQ(plan.shares[1].id_mappings.uids, plan.id_mappings.uids) << option;
        EXPECT_EQ(plan.shares[1].id_mappings.gids, plan.id_mappings.gids) << option;
        EXPECT_EQ(plan.shares[1].id_mapped_recursive, std::string(option) == "ridmap");
    }
    bind({"rbind"});
    EXPECT_TRUE(plan_ok().shares[1].id_mappings.empty());
}

TEST_F(IdMappings, mounts_that_cannot_be_id_mapped) {
    bind({"bind", "idmap"});
    EXPECT_EQ(error(),
              "config.json: mounts[0]: id-mapped mounts must have both uid and gid mappings specified");
    bind({"bind"});
    json_["mounts"][0]["uidMappings"] = list_of(mapping(5, 1000, 2));
    EXPECT_EQ(error(),
              "config.json: mounts[0]: id-mapped mounts must have both uid and gid mappings specified");
    json_["mounts"][0]["uidMappings"] = list_of(mapping(5, 1000, 0));
    EXPECT_EQ(error(), "config.json: mounts[0].uidMappings[0].size: found 0; at least one id is mapped");
    map_ids();
    json_["mounts"] = list_of({{"destination", "/t"}, {"type", "tmpfs"}, {"options", {"idmap"}}});
    EXPECT_EQ(error(), "config.json: mounts[0]: id-mapped mounts are only supported for bind-mounts");
}

TEST_F(IdMappings, a_writable_cgroup_belongs_to_the_processs_user) {
    auto mount_cgroup = [&](const char* access) {
        json_["mounts"] = list_of({{"destination", "/sys/fs/cgroup"},
                                   {"type", "cgroup"},
                                   {"source", "cgroup"},
                                   {"options", {access}}});
    };
    mount_cgroup("ro");
    plan_ok();
    EXPECT_FALSE(container().getHasCgroupOwner());
    mount_cgroup("rw");
    json_["process"]["user"]["uid"] = 7;
    plan_ok();
    EXPECT_TRUE(container().getHasCgroupOwner());
    EXPECT_EQ(container().getCgroupOwner(), 7U);
    map_ids();
    plan_ok();
    EXPECT_EQ(container().getCgroupOwner(), 100007U);
    json_["process"]["user"]["uid"] = 65536;
    plan_ok();
    EXPECT_FALSE(container().getHasCgroupOwner()) << "it is not mapped";
    json_["process"]["user"]["uid"] = 7;
    for (auto& entry : json_["linux"]["namespaces"])
        if (entry["type"] == "cgroup")
            entry["type"] = "time";
    plan_ok();
    EXPECT_FALSE(container().getHasCgroupOwner()) << "it has no cgroup namespace";
}

} // namespace runvm::oci::test
