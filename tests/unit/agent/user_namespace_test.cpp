#include "agent/user_namespace.h"

#include "../support/mount_namespace.h"
#include "../support/temporary_folder.h"
#include "agent/devices.h"
#include "agent/process_setup.h"
#include "agent/stdio.h"

#include <capnp/message.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>

namespace runvm::agent {
namespace {

const os::IdMappings mappings{{{0, 100000, 10}}, {{0, 200000, 10}, {20, 5, 1}}};

TEST(UserNamespace, MappingsAreTheMessages) {
    capnp::MallocMessageBuilder message;
    auto container = message.initRoot<protocol::Container>();
    EXPECT_TRUE(id_mappings_of(container).empty());
    auto uid = container.initUidMappings(1)[0];
    uid.setContainerId(1);
    uid.setHostId(2);
    uid.setSize(3);
    EXPECT_EQ(id_mappings_of(container).uids, (std::vector<os::IdMapping>{{1, 2, 3}}));
}

TEST(UserNamespace, GroupRangesAreTranslated) {
    const char* key = "net/ipv4/ping_group_range";
    EXPECT_EQ(sysctl_of_guest(key, "0\t9", mappings), "200000 200009");
    EXPECT_EQ(sysctl_of_guest(key, "20 20", mappings), "5 5");
    EXPECT_EQ(sysctl_of_guest(key, "0 10", mappings), "200000 4294967295");
    EXPECT_EQ(sysctl_of_guest(key, "x 0", mappings), "4294967295 200000");
    EXPECT_EQ(sysctl_of_guest("net/ipv4/ip_forward", "1", mappings), "1");
}

TEST(UserNamespace, ItsSysctlsAreTold) {
    EXPECT_TRUE(is_user_sysctl("user/max_mnt_namespaces"));
    EXPECT_FALSE(is_user_sysctl("net/user/x"));
}

TEST(UserNamespace, DeviceNodesHaveTheMappedOwner) {
    test::in_own_mount_namespace([] {
        test::TemporaryFolder folder;
        capnp::MallocMessageBuilder message;
        auto devices = message.initRoot<protocol::Container>().initDevices(2);
        for (auto device : devices) {
            device.setPath("/dev/x");
            device.setType('c');
            device.setMajor(1);
            device.setMinor(3);
            device.setMode(0640);
            device.setUid(7);
            device.setGid(20);
        }
        devices[1].setUid(10);
        auto trees = make_device_trees(folder.path() + "/a/b", devices.asReader(), mappings);
        ASSERT_TRUE(trees) << trees.error().to_string();
        ASSERT_EQ(trees->size(), 2U);
        struct stat info {};
        ASSERT_EQ(::fstat(trees->at(0).get(), &info), 0);
        EXPECT_EQ(info.st_rdev, makedev(1, 3));
        EXPECT_EQ(info.st_mode, mode_t{S_IFCHR | 0640});
        EXPECT_EQ(info.st_uid, 100007U);
        EXPECT_EQ(info.st_gid, 5U);
        ASSERT_EQ(::fstat(trees->at(1).get(), &info), 0);
        EXPECT_EQ(info.st_uid, 0U) << "not mapped";
    });
}

TEST(UserNamespace, DevicesAreBoundOverWhatIsThere) {
    test::in_own_mount_namespace([] {
        test::TemporaryFolder folder;
        ASSERT_EQ(::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, nullptr), 0);
        std::string root = folder.path() + "/root";
        ASSERT_EQ(::mkdir(root.c_str(), 0755), 0);
        ASSERT_EQ(::mount(root.c_str(), root.c_str(), nullptr, MS_BIND, nullptr), 0);
        ASSERT_EQ(::mkdir((root + "/dev").c_str(), 0755), 0);
        ASSERT_EQ(::mknod((root + "/dev/null").c_str(), S_IFREG | 0600, 0), 0);
        capnp::MallocMessageBuilder message;
        auto devices = message.initRoot<protocol::Container>().initDevices(3);
        const std::array<const char*, 3> paths = {"/dev/full", "/dev/ptmx", "/dev/below/x"};
        for (unsigned i = 0; i < paths.size(); ++i) {
            devices[i].setPath(paths[i]);
            devices[i].setType('c');
            devices[i].setMajor(1);
            devices[i].setMinor(7);
            devices[i].setMode(0600);
        }
        auto trees = make_device_trees(folder.path() + "/nodes", devices.asReader(), mappings);
        ASSERT_TRUE(trees);
        Rootfs rootfs(os::Fd(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)));
        Result<void> bound = bind_devices(rootfs, devices.asReader(), *trees);
        ASSERT_TRUE(bound) << bound.error().to_string();
        auto number_of = [&](const char* path) {
            struct stat info {};
            EXPECT_EQ(::lstat((root + path).c_str(), &info), 0) << path;
            return info.st_rdev;
        };
        EXPECT_EQ(number_of("/dev/null"), makedev(1, 3));
        EXPECT_EQ(number_of("/dev/zero"), makedev(1, 5));
        EXPECT_EQ(number_of("/dev/below/x"), makedev(1, 7));
        EXPECT_EQ(number_of("/dev/ptmx"), 0U) << "a link";
        struct stat info {};
        ASSERT_EQ(::stat((root + "/dev/full").c_str(), &info), 0);
        EXPECT_EQ(info.st_uid, 100000U) << "config.json's, and no default one over it";
        ::umount2(root.c_str(), MNT_DETACH);
        ::umount2(folder.path().c_str(), MNT_DETACH);
    });
}

TEST(UserNamespace, EndsOfStreamsAreGivenAway) {
    if (::getuid() != 0)
        GTEST_SKIP() << "needs root";
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    std::vector<ProcessEnd> ends;
    ends.push_back({0, os::Fd(pipe[0])});
    ends.push_back({1, os::Fd(pipe[1])});
    ASSERT_TRUE(give_ends(ends, 100000, 200000));
    struct stat info {};
    ASSERT_EQ(::fstat(pipe[1], &info), 0);
    EXPECT_EQ(info.st_uid, 100000U);
    EXPECT_EQ(info.st_gid, 200000U);
}

TEST(UserNamespace, HardLimitsAreRaisedAndNotLowered) {
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_CORE, &before), 0);
    capnp::MallocMessageBuilder message;
    auto process = message.initRoot<protocol::Process>();
    auto limit = process.initRlimits(1)[0];
    limit.setResource(RLIMIT_CORE);
    limit.setHard(0);
    ASSERT_TRUE(grant_privileges(0, process));
    rlimit after{};
    ASSERT_EQ(::getrlimit(RLIMIT_CORE, &after), 0);
    EXPECT_EQ(after.rlim_max, before.rlim_max);
    EXPECT_EQ(after.rlim_cur, before.rlim_cur);
}

} // namespace
} // namespace runvm::agent
