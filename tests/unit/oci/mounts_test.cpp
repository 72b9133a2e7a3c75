// config.md, "mounts".

#include "bundle.h"
#include "oci/mount_options.h"

#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace runvm::oci::test {

class Mounts : public Bundle {
protected:
    Mounts() {
        write("file");
        EXPECT_TRUE(os::make_folders(folder_ + "/folder", 0755));
        json_["mounts"] = Json::array();
    }
    void bind(const std::string& source, const Json& options = {"bind"}) {
        json_["mounts"] =
            list_of({{"destination", "/d"}, {"type", "none"}, {"source", source}, {"options", options}});
    }
};

TEST_F(Mounts, a_relative_source_is_below_the_bundle) {
    bind("folder/../folder/");
    HostPlan plan = plan_ok();
    ASSERT_EQ(plan.shares.size(), 2U);
    EXPECT_EQ(plan.shares[1].name, "m0");
    EXPECT_EQ(plan.shares[1].path, folder_ + "/folder");
    EXPECT_FALSE(plan.shares[1].recursive);
    EXPECT_FALSE(plan.shares[1].readonly);
    ASSERT_EQ(container().getMounts().size(), 1U);
    auto mount = container().getMounts()[0];
    EXPECT_EQ(mount.getType(), "bind");
    EXPECT_EQ(mount.getShare(), "m0");
    EXPECT_FALSE(mount.getIsFile());
}

TEST_F(Mounts, a_file) {
    bind(folder_ + "/file", {"rbind", "ro"});
    HostPlan plan = plan_ok();
    EXPECT_TRUE(plan.shares[1].is_file);
    EXPECT_TRUE(plan.shares[1].recursive);
    EXPECT_TRUE(plan.shares[1].readonly);
    EXPECT_FALSE(plan.shares[1].readonly_recursive);
    EXPECT_TRUE(container().getMounts()[0].getIsFile());
}

TEST_F(Mounts, recursive_readonly) {
    bind("folder", {"rbind", "rro"});
    HostPlan plan = plan_ok();
    EXPECT_TRUE(plan.shares[1].readonly_recursive);
    EXPECT_EQ(container().getMounts()[0].getRecursiveSet(), 1U); // MOUNT_ATTR_RDONLY
}

TEST_F(Mounts, shares_are_named_by_the_mounts_place) {
    bind("file");
    Json tmpfs = {{"destination", "/t"}, {"type", "tmpfs"}};
    json_["mounts"].insert(json_["mounts"].begin(), tmpfs);
    HostPlan plan = plan_ok();
    EXPECT_EQ(plan.shares[1].name, "m1");
    EXPECT_EQ(container().getMounts()[0].getShare(), "");
    EXPECT_EQ(container().getMounts()[1].getShare(), "m1");
}

TEST_F(Mounts, a_missing_source_names_it_and_says_what_to_do) {
    bind("nothing");
    EXPECT_EQ(error(), "config.json: mounts[0].source: " + folder_ +
                           "/nothing is missing on the host; create it or remove the mount");
    bind("");
    EXPECT_EQ(error(), "config.json: mounts[0].source: found \"\"; a bind mount needs a path of the host");
}

TEST_F(Mounts, sockets_and_fifos_cannot_cross) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::string path = folder_ + "/s";
    ASSERT_LT(path.size(), sizeof(address.sun_path));
    path.copy(address.sun_path, path.size());
    int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    bind("s");
    EXPECT_EQ(error(), "config.json: mounts[0].source: " + path +
                           " is a socket of the host, whose other end cannot be reached from a VM");
    ::close(fd);
    ASSERT_EQ(::mkfifo((folder_ + "/f").c_str(), 0600), 0);
    bind("f");
    EXPECT_NE(error().find("is a FIFO of the host"), std::string::npos);
}

TEST_F(Mounts, device_nodes_that_the_guest_has_too_can_be_bound) {
    bind("/dev/null");
    EXPECT_EQ(error(), "");
}

TEST_F(Mounts, a_relative_destination_is_relative_to_the_root) {
    json_["mounts"] = list_of({{"destination", "a/../b/"}, {"type", "tmpfs"}});
    plan_ok();
    EXPECT_EQ(container().getMounts()[0].getDestination(), "/b");
    json_["mounts"][0]["destination"] = "/../../x";
    plan_ok();
    EXPECT_EQ(container().getMounts()[0].getDestination(), "/x");
    EXPECT_NE(error_with("/mounts/0/destination", ""), "");
    EXPECT_NE(error_with("/mounts/0/destination", nullptr), "");
}

TEST_F(Mounts, nothing_is_mounted_over_the_root) {
    json_["mounts"] = list_of({{"destination", "/x/.."}, {"type", "tmpfs"}, {"source", "tmpfs"}});
    auto result = plan();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind(), ErrorKind::unsupported);
    EXPECT_NE(result.error().to_string().find("mounts[0].destination"), std::string::npos);
    EXPECT_EQ(error_kind_with("/mounts/0/destination", "."), ErrorKind::unsupported);
}

TEST_F(Mounts, types_that_need_the_host_are_refused) {
    json_["mounts"] = list_of({{"destination", "/d"}, {"type", "ext4"}, {"source", "/dev/sda1"}});
    auto result = plan();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind(), ErrorKind::unsupported);
    EXPECT_EQ(error_kind_with("/mounts/0/type", "overlay"), ErrorKind::unsupported);
    for (const char* type : {"proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "bpf"})
        EXPECT_EQ(error_with("/mounts/0/type", type), "") << type;
    EXPECT_EQ(error_with("/mounts/0/type", "bind"), "config.json: mounts[0].type: found \"bind\"; a bind "
                                                    "mount needs bind or rbind among its options, any "
                                                    "other the name of a file system");
}

TEST_F(Mounts, options_of_a_file_system_are_refused_on_a_bind) {
    bind("folder", {"bind", "size=1"});
    EXPECT_EQ(error(),
              "config.json: mounts[0].options: bind mounts cannot have any filesystem-specific options "
              "applied: size=1");
}

TEST_F(Mounts, a_remounted_bind_has_no_source) {
    bind("folder", {"bind", "remount", "ro"});
    auto planned = plan();
    ASSERT_TRUE(planned) << planned.error().to_string();
    EXPECT_EQ(planned->shares.size(), 1U) << "the rootfs alone";
}

TEST_F(Mounts, private_ones_are_private_on_the_host) {
    bind("folder", {"rbind", "rprivate"});
    EXPECT_EQ(plan()->shares.at(1).privacy, uint64_t{MS_PRIVATE | MS_REC});
    bind("folder", {"rbind", "unbindable"});
    EXPECT_EQ(plan()->shares.at(1).privacy, uint64_t{MS_PRIVATE});
    bind("folder", {"rbind", "rslave"});
    EXPECT_EQ(plan()->shares.at(1).privacy, 0U);
}

TEST(mount_options, later_ones_win) {
    MountOptions options =
        parse_mount_options({"ro", "nosuid", "rw", "mode=755", "size=1k", "suid", "noexec"});
    EXPECT_EQ(options.flags, uint64_t{MS_NOEXEC});
    EXPECT_EQ(options.cleared_flags, uint64_t{MS_RDONLY | MS_NOSUID});
    EXPECT_EQ(options.data, "mode=755,size=1k");
}

TEST(mount_options, recursive_access_times_clear_the_whole_field) {
    MountOptions options = parse_mount_options({"rnoatime"});
    EXPECT_EQ(options.recursive_set, 0x10U);     // MOUNT_ATTR_NOATIME
    EXPECT_EQ(options.recursive_cleared, 0x70U); // MOUNT_ATTR__ATIME
    options = parse_mount_options({"rrelatime"});
    EXPECT_EQ(options.recursive_set, 0U);
    EXPECT_EQ(options.recursive_cleared, 0x70U);
    options = parse_mount_options({"rnodiratime"});
    EXPECT_EQ(options.recursive_cleared, 0U);
}

TEST(mount_options, other_words) {
    MountOptions options = parse_mount_options({"tmpcopyup", "rslave", "defaults", "rbind"});
    EXPECT_TRUE(options.copy_up);
    EXPECT_EQ(options.propagation, uint64_t{MS_SLAVE | MS_REC});
    EXPECT_EQ(options.data, "");
    EXPECT_TRUE(options.is_recursive_bind());
}

// The table of config.md, "Linux mount options", without idmap and ridmap, as with runc.
TEST(mount_options, every_option_of_the_specification_is_known) {
    auto known = known_mount_options();
    for (const char* name : {"async",          "atime",      "bind",         "defaults",    "dev",
                             "diratime",       "dirsync",    "exec",         "iversion",    "lazytime",
                             "loud",           "mand",       "noatime",      "nodev",       "nodiratime",
                             "noexec",         "noiversion", "nolazytime",   "nomand",      "norelatime",
                             "nostrictatime",  "nosuid",     "nosymfollow",  "private",     "ratime",
                             "rbind",          "rdev",       "rdiratime",    "relatime",    "remount",
                             "rexec",          "rnoatime",   "rnodiratime",  "rnoexec",     "rnorelatime",
                             "rnostrictatime", "rnosuid",    "rnosymfollow", "ro",          "rprivate",
                             "rrelatime",      "rro",        "rrw",          "rshared",     "rslave",
                             "rstrictatime",   "rsuid",      "rsymfollow",   "runbindable", "rw",
                             "shared",         "silent",     "slave",        "strictatime", "suid",
                             "symfollow",      "sync",       "tmpcopyup",    "unbindable"})
        EXPECT_NE(std::find(known.begin(), known.end(), name), known.end()) << name;
}

} // namespace runvm::oci::test
