#include "agent/mounts.h"

#include "../support/mount_namespace.h"
#include "../support/temporary_folder.h"
#include "agent/devices.h"
#include "agent/protected_paths.h"
#include "os/mounts.h"

#include <capnp/message.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <fstream>

namespace runvm::agent {
namespace {

namespace fs = std::filesystem;

/// A rootfs and a folder of shares, both on a tmpfs, in a mount namespace.
class Scene {
public:
    Scene() {
        EXPECT_EQ(::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, nullptr), 0);
        fs::create_directories(root());
        fs::create_directories(share("m0"));
        // A mount of its own, as the container's root is.
        EXPECT_EQ(::mount(root().c_str(), root().c_str(), nullptr, MS_BIND, nullptr), 0);
    }
    ~Scene() { ::umount2(folder_.path().c_str(), MNT_DETACH); }

    std::string root() const { return folder_.path() + "/root"; }
    std::string share(const std::string& name) const { return folder_.path() + "/shares/" + name; }
    Rootfs open() const { return Rootfs(os::Fd(::open(root().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC))); }
    os::Fd tree(const std::string& share_name) const { return *os::clone_tree(share(share_name), false); }

private:
    test::TemporaryFolder folder_;
};

class MountMessage {
public:
    explicit MountMessage(const std::string& destination, const std::string& type)
        : mount(message_.initRoot<protocol::Mount>()) {
        mount.setDestination(destination.c_str());
        mount.setType(type.c_str());
        mount.setSource(type.c_str());
    }

private:
    capnp::MallocMessageBuilder message_;

public:
    protocol::Mount::Builder mount;
};

unsigned long flags_of(const std::string& path) {
    struct statvfs info {};
    EXPECT_EQ(::statvfs(path.c_str(), &info), 0) << path;
    return info.f_flag;
}

bool can_write(const std::string& path) {
    std::ofstream(path) << "x";
    return fs::exists(path);
}

TEST(Mounts, MakesReadOnlyFilesystemsLast) {
    test::in_own_mount_namespace([] {
        Scene scene;
        Rootfs rootfs = scene.open();
        Mounts mounts(rootfs);
        MountMessage outer("/data", "tmpfs");
        outer.mount.setFlags(MS_RDONLY | MS_NOSUID | MS_NOATIME);
        outer.mount.setData("mode=700,size=64k");
        MountMessage inner("/data/inner", "tmpfs");
        ASSERT_TRUE(mounts.add(outer.mount, os::Fd()));
        ASSERT_TRUE(mounts.add(inner.mount, os::Fd())) << "its mount point is made in the outer one";
        ASSERT_TRUE(mounts.finish());
        EXPECT_EQ(flags_of(scene.root() + "/data") & (ST_RDONLY | ST_NOSUID | ST_NOATIME | ST_NODEV),
                  static_cast<unsigned long>(ST_RDONLY | ST_NOSUID | ST_NOATIME));
        EXPECT_FALSE(can_write(scene.root() + "/data/x"));
        EXPECT_TRUE(can_write(scene.root() + "/data/inner/x"));
    });
}

TEST(Mounts, PassesOnWhatTheFilesystemComplainsAbout) {
    test::in_own_mount_namespace([] {
        Scene scene;
        Rootfs rootfs = scene.open();
        Mounts mounts(rootfs);
        MountMessage bad("/data", "tmpfs");
        bad.mount.setData("nosuchoption=1");
        Result<void> result = mounts.add(bad.mount, os::Fd());
        ASSERT_FALSE(result);
        EXPECT_NE(result.error().to_string().find("mount tmpfs on /data"), std::string::npos);
        EXPECT_NE(result.error().to_string().find("Unknown parameter 'nosuchoption'"), std::string::npos)
            << result.error().to_string();
        MountMessage unknown("/data", "nosuchfs");
        result = mounts.add(unknown.mount, os::Fd());
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().kind(), ErrorKind::unsupported);
    });
}

TEST(Mounts, BindsSharesWithTheirOwnFlags) {
    test::in_own_mount_namespace([] {
        Scene scene;
        std::ofstream(scene.share("m0") + "/file") << "content";
        fs::create_directory(scene.share("m0") + "/sub");
        std::ofstream(scene.share("m1")) << "single";
        Rootfs rootfs = scene.open();
        Mounts mounts(rootfs);
        MountMessage folder("/mnt/folder", "bind");
        folder.mount.setShare("m0");
        folder.mount.setFlags(MS_BIND | MS_RDONLY | MS_NODEV);
        folder.mount.setPropagation(MS_SHARED);
        MountMessage file("/mnt/file", "bind");
        file.mount.setShare("m1");
        file.mount.setIsFile(true);
        ASSERT_TRUE(mounts.add(folder.mount, scene.tree("m0")));
        ASSERT_TRUE(mounts.add(file.mount, scene.tree("m1")));
        EXPECT_TRUE(fs::exists(scene.root() + "/mnt/folder/file"));
        EXPECT_FALSE(can_write(scene.root() + "/mnt/folder/x"));
        EXPECT_EQ(flags_of(scene.root() + "/mnt/folder") & (ST_RDONLY | ST_NODEV),
                  static_cast<unsigned long>(ST_RDONLY | ST_NODEV));
        EXPECT_TRUE(can_write(scene.share("m0") + "/x")) << "the source keeps its flags";
        EXPECT_EQ(fs::file_size(scene.root() + "/mnt/file"), 6U);
    });
}

TEST(Mounts, RefusesBadShareNames) {
    for (const char* name : {"", "..", "a/b", "ROOT", "a b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})
        EXPECT_FALSE(valid_share_name(name)) << name;
    EXPECT_TRUE(valid_share_name("rootfs"));
    EXPECT_TRUE(valid_share_name("m17"));
}

TEST(Mounts, DoesNotMountProcThroughASymlink) {
    test::in_own_mount_namespace([] {
        Scene scene;
        fs::create_directory_symlink("/tmp", scene.root() + "/proc");
        Rootfs rootfs = scene.open();
        Mounts mounts(rootfs);
        MountMessage proc("/proc", "proc");
        Result<void> result = mounts.add(proc.mount, os::Fd());
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().errno_value(), ENOTDIR);
    });
}

TEST(Mounts, CopiesUp) {
    test::in_own_mount_namespace([] {
        Scene scene;
        fs::create_directories(scene.root() + "/home/sub");
        std::ofstream(scene.root() + "/home/sub/file") << "content";
        ASSERT_EQ(::chmod((scene.root() + "/home/sub/file").c_str(), 04711), 0);
        ASSERT_EQ(::chown((scene.root() + "/home/sub").c_str(), 12, 34), 0);
        fs::create_symlink("/etc/shadow", scene.root() + "/home/link");
        ASSERT_EQ(::mkfifo((scene.root() + "/home/fifo").c_str(), 0600), 0);
        Rootfs rootfs = scene.open();
        Mounts mounts(rootfs);
        MountMessage home("/home", "tmpfs");
        home.mount.setCopyUp(true);
        ASSERT_TRUE(mounts.add(home.mount, os::Fd()));
        struct stat info {};
        ASSERT_EQ(::stat((scene.root() + "/home/sub/file").c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 07777, 04711U);
        EXPECT_EQ(info.st_size, 7);
        ASSERT_EQ(::stat((scene.root() + "/home/sub").c_str(), &info), 0);
        EXPECT_EQ(info.st_uid, 12U);
        EXPECT_EQ(fs::read_symlink(scene.root() + "/home/link"), "/etc/shadow");
        EXPECT_FALSE(fs::exists(scene.root() + "/home/fifo"));
    });
}

TEST(Mounts, ChangesAnExistingMount) {
    test::in_own_mount_namespace([] {
        Scene scene;
        Rootfs rootfs = scene.open();
        Mounts mounts(rootfs);
        MountMessage data("/data", "tmpfs");
        ASSERT_TRUE(mounts.add(data.mount, os::Fd()));
        MountMessage again("/data", "none");
        again.mount.setFlags(MS_REMOUNT | MS_RDONLY);
        ASSERT_TRUE(mounts.add(again.mount, os::Fd()));
        EXPECT_FALSE(can_write(scene.root() + "/data/x"));
    });
}

TEST(ProtectedPaths, AreReadOnlyOrMasked) {
    test::in_own_mount_namespace([] {
        Scene scene;
        fs::create_directories(scene.root() + "/secret/folder");
        std::ofstream(scene.root() + "/secret/file") << "secret";
        fs::create_directories(scene.root() + "/fixed");
        Rootfs rootfs = scene.open();
        ASSERT_TRUE(mask(rootfs, "/secret/file"));
        ASSERT_TRUE(make_readonly(rootfs, "/fixed"));
        ASSERT_TRUE(mask(rootfs, "/secret"));
        ASSERT_TRUE(mask(rootfs, "/missing"));
        ASSERT_TRUE(make_readonly(rootfs, "/missing"));
        EXPECT_FALSE(can_write(scene.root() + "/fixed/x"));
        EXPECT_TRUE(fs::is_empty(scene.root() + "/secret"));
        EXPECT_FALSE(can_write(scene.root() + "/secret/x"));
    });
}

TEST(ProtectedPaths, MaskFilesWithTheRealNullDevice) {
    test::in_own_mount_namespace([] {
        Scene scene;
        fs::create_directories(scene.root() + "/dev");
        std::ofstream(scene.root() + "/dev/null") << "not the null device";
        std::ofstream(scene.root() + "/secret") << "secret";
        Rootfs rootfs = scene.open();
        ASSERT_TRUE(mask(rootfs, "/secret"));
        struct stat info {};
        ASSERT_EQ(::stat((scene.root() + "/secret").c_str(), &info), 0);
        EXPECT_TRUE(S_ISCHR(info.st_mode));
        EXPECT_EQ(info.st_rdev, makedev(1, 3));
    });
}

TEST(Devices, AreMadeInTheRootfs) {
    test::in_own_mount_namespace([] {
        Scene scene;
        capnp::MallocMessageBuilder message;
        auto devices = message.initRoot<protocol::Container>().initDevices(2);
        devices[0].setPath("/dev/sub/own");
        devices[0].setType('c');
        devices[0].setMajor(10);
        devices[0].setMinor(200);
        devices[0].setMode(0640);
        devices[0].setUid(5);
        devices[0].setGid(6);
        devices[1].setPath("/dev/zero");
        devices[1].setType('c');
        devices[1].setMajor(1);
        devices[1].setMinor(5);
        devices[1].setMode(0600);
        Rootfs rootfs = scene.open();
        mode_t mask = ::umask(0);
        Result<void> made = make_devices(rootfs, devices);
        ::umask(mask);
        ASSERT_TRUE(made) << made.error().to_string();
        struct stat info {};
        ASSERT_EQ(::stat((scene.root() + "/dev/sub/own").c_str(), &info), 0);
        EXPECT_EQ(info.st_mode, static_cast<mode_t>(S_IFCHR | 0640));
        EXPECT_EQ(info.st_rdev, makedev(10, 200));
        EXPECT_EQ(info.st_uid, 5U);
        ASSERT_EQ(::stat((scene.root() + "/dev/null").c_str(), &info), 0);
        EXPECT_EQ(info.st_mode, static_cast<mode_t>(S_IFCHR | 0666));
        ASSERT_EQ(::stat((scene.root() + "/dev/zero").c_str(), &info), 0);
        EXPECT_EQ(info.st_mode, static_cast<mode_t>(S_IFCHR | 0600))
            << "config.json's own wins over the default";
        EXPECT_EQ(fs::read_symlink(scene.root() + "/dev/ptmx"), "pts/ptmx");
        EXPECT_EQ(fs::read_symlink(scene.root() + "/dev/stdin"), "/proc/self/fd/0");
        devices[0].setType('x');
        EXPECT_FALSE(make_devices(rootfs, devices));
    });
}

TEST(Devices, AreNotMadeInABoundDev) {
    capnp::MallocMessageBuilder message;
    auto mounts = message.initRoot<protocol::Container>().initMounts(1);
    mounts[0].setDestination("/dev");
    mounts[0].setType("tmpfs");
    EXPECT_TRUE(needs_devices(mounts.asReader()));
    mounts[0].setShare("m0");
    EXPECT_FALSE(needs_devices(mounts.asReader()));
}

} // namespace
} // namespace runvm::agent
