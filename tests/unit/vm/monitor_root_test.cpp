// These need root and make namespaces; elsewhere they are skipped.

#include "vm/monitor_root.h"

#include "temporary_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <set>
#include <sstream>

namespace runvm::vm {
namespace {

using Failures = std::ostringstream;

#define CHECK_HERE(condition)                                                                                \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            failures << __LINE__ << ": " #condition " (errno " << errno << ")\n";                            \
    } while (false)

class MonitorRootTest : public testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0)
            GTEST_SKIP() << "needs root";
        write(folder_ / "vmlinux", "kernel");
        write(folder_ / "initrd.img", "image");
        root_.kernel_path = folder_ / "vmlinux";
        root_.image_path = folder_ / "initrd.img";
        root_.cache_folder = folder_ / "cache";
        root_.qemu_uid = 2'100'000'007;
        root_.qemu_gid = 2'100'000'008;
    }

    static void write(const std::string& path, const std::string& text) {
        EXPECT_TRUE(os::write_file_atomically(path, text, 0644, false).ok());
    }

    /// Runs `check` in the monitor's root, as pid 1 of new namespaces; what it found wrong. `before` runs in
    /// the mount namespace before the root is entered.
    std::string inside(
        const std::function<void(Failures&)>& check, const std::function<void()>& before = [] {}) {
        std::array<int, 2> ends{};
        EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        os::Fd output(ends[0]);
        os::Fd input(ends[1]);
        pid_t pid = ::fork();
        if (pid == 0) {
            if (::unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC) != 0)
                ::_exit(3);
            pid_t first = ::fork();
            if (first == 0)
                ::_exit(run(check, before, input.get()));
            int status = 0;
            ::waitpid(first, &status, 0);
            ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
        }
        input.reset();
        auto text = os::read_fd(output.get(), "the check's output");
        int status = 0;
        ::waitpid(pid, &status, 0);
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
        return text ? *text : "unreadable";
    }

    int run(const std::function<void(Failures&)>& check, const std::function<void()>& before, int output) {
        Failures failures;
        before();
        if (auto entered = enter_monitor_root(root_); !entered)
            failures << "enter: " << entered.error().to_string() << "\n";
        else
            check(failures);
        return os::write_all(output, failures.str(), "failures") ? 0 : 1;
    }

    static os::Fd clone(const std::string& path) {
        os::Fd tree(::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
        EXPECT_TRUE(static_cast<bool>(tree)) << errno;
        return tree;
    }

    /// From within the root.
    static MonitorRoot root_again() {
        MonitorRoot root;
        root.kernel_path = monitor_path::kernel;
        root.image_path = monitor_path::image;
        return root;
    }

    TemporaryFolder folder_;
    MonitorRoot root_;
};

std::set<std::string> entries(const std::string& path) {
    std::set<std::string> names;
    DIR* listing = ::opendir(path.c_str());
    if (listing == nullptr)
        return names;
    while (const dirent* entry = ::readdir(listing))
        if (entry->d_name[0] != '.')
            names.insert(entry->d_name);
    ::closedir(listing);
    return names;
}

std::string contents(const std::string& path) {
    auto text = os::read_file(path);
    return text ? *text : "(none)";
}

bool writable(const std::string& path) {
    os::Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    return static_cast<bool>(file);
}

bool missing(const std::string& path) {
    return ::access(path.c_str(), F_OK) != 0 && errno == ENOENT;
}

TEST_F(MonitorRootTest, HoldsWhatIsNeededAndNothingElse) {
    std::string host_folder = folder_.path();
    std::string found = inside([&](Failures& failures) {
        std::set<std::string> expected = {"boot",    "cache",  "dev", "etc", "proc", "run",
                                          "sandbox", "shared", "sys", "tmp", "usr",  "var"};
        for (const std::string& name : entries("/"))
            if (expected.count(name) == 0 && name.rfind("lib", 0) != 0 && name != "bin" && name != "sbin")
                failures << "/" << name << " is there\n";
        for (const std::string& name : expected)
            if (entries("/").count(name) == 0)
                failures << "/" << name << " is not there\n";
        CHECK_HERE(contents("/boot/vmlinux") == "kernel");
        CHECK_HERE(contents("/boot/initrd.img") == "image");
        CHECK_HERE(!writable("/boot/vmlinux"));
        CHECK_HERE(!writable("/usr/runvm-test"));
        CHECK_HERE(!writable("/sys/runvm-test"));
        CHECK_HERE(::access("/bin/sh", X_OK) == 0);
        CHECK_HERE(missing(host_folder));
        CHECK_HERE(missing("/dev/kvm"));
        CHECK_HERE(missing("/proc/" + std::to_string(::getppid() == 0 ? 2 : 1) + "/root/work"));
        CHECK_HERE(entries("/proc").count("1") == 1 && entries("/proc").count("2") == 0);
        CHECK_HERE(writable("/dev/null"));
        CHECK_HERE(::getpid() == 1);
        // The root is the namespace's own: no mount of the host is left to come back to.
        std::string mounts = contents("/proc/self/mounts");
        CHECK_HERE(mounts.find(" / tmpfs ") != std::string::npos);
        CHECK_HERE(mounts.find(" /home ") == std::string::npos);
    });
    EXPECT_EQ(found, "");
}

TEST_F(MonitorRootTest, CacheIsTheHosts) {
    EXPECT_EQ(inside([](Failures& failures) { CHECK_HERE(writable("/cache/found")); }), "");
    EXPECT_EQ(::access((folder_ / "cache/found").c_str(), F_OK), 0);
}

TEST_F(MonitorRootTest, DoesWithoutACacheThatCannotBeMade) {
    root_.cache_folder = "/proc/none";
    EXPECT_EQ(inside([](Failures& failures) { CHECK_HERE(writable("/cache/found")); }), "");
}

TEST_F(MonitorRootTest, KvmsNodeIsQemus) {
    struct stat host {};
    if (::stat("/dev/kvm", &host) != 0)
        GTEST_SKIP() << "needs /dev/kvm";
    root_.use_kvm = true;
    std::string found = inside([&](Failures& failures) {
        struct stat info {};
        CHECK_HERE(::stat("/dev/kvm", &info) == 0);
        CHECK_HERE(info.st_rdev == host.st_rdev && info.st_uid == root_.qemu_uid &&
                   info.st_gid == root_.qemu_gid);
    });
    EXPECT_EQ(found, "");
    struct stat after {};
    ASSERT_EQ(::stat("/dev/kvm", &after), 0);
    EXPECT_EQ(after.st_uid, host.st_uid);
}

TEST_F(MonitorRootTest, BindsConfiguredProgramsWhereverTheyAre) {
    write(folder_ / "emulator", "program");
    root_.readonly_paths = {folder_ / "emulator", "/usr/bin/env", "/bin/sh"};
    EXPECT_EQ(inside([&](Failures& failures) {
                  CHECK_HERE(contents(folder_ / "emulator") == "program");
                  CHECK_HERE(!writable(folder_ / "emulator"));
                  CHECK_HERE(::access("/usr/bin/env", X_OK) == 0);
              }),
              "");
}

TEST_F(MonitorRootTest, TakesTheReaperAlong) {
    // As the monitor does it: its parent, pid 1, has the namespace's old root.
    EXPECT_EQ(inside([&](Failures& failures) {
                  pid_t child = ::fork();
                  if (child == 0) {
                      bool entered = enter_monitor_root(root_again()).ok();
                      struct stat own {};
                      struct stat parents {};
                      ::stat("/", &own);
                      ::stat("/proc/1/root/", &parents);
                      ::_exit(entered && own.st_dev == parents.st_dev && own.st_ino == parents.st_ino ? 0
                                                                                                      : 1);
                  }
                  int status = 1;
                  ::waitpid(child, &status, 0);
                  CHECK_HERE(status == 0);
              }),
              "");
}

TEST_F(MonitorRootTest, MissingKernelIsNamed) {
    root_.kernel_path = folder_ / "none";
    EXPECT_NE(
        inside([](Failures&) {}).find("make the monitor's root: clone the mount of " + (folder_ / "none")),
        std::string::npos);
}

TEST_F(MonitorRootTest, WorksInAChrootThatIsNoMountPoint) {
    std::string jail = folder_ / "jail";
    for (const char* name : {"usr", "proc", "dev", "etc"})
        ASSERT_TRUE(os::make_folders(jail + "/" + name, 0755).ok());
    ASSERT_EQ(::symlink("usr/bin", (jail + "/bin").c_str()), 0);
    ASSERT_EQ(::symlink("usr/lib", (jail + "/lib").c_str()), 0);
    ASSERT_EQ(::symlink("usr/lib64", (jail + "/lib64").c_str()), 0);
    write(jail + "/vmlinux", "jailed kernel");
    write(jail + "/initrd.img", "image");
    root_ = MonitorRoot{};
    root_.kernel_path = "/vmlinux";
    root_.image_path = "/initrd.img";
    auto enter_jail = [&] {
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        for (const char* name : {"usr", "proc", "dev"})
            ::mount((std::string("/") + name).c_str(), (jail + "/" + name).c_str(), nullptr, MS_BIND | MS_REC,
                    nullptr);
        ::mount("proc", (jail + "/proc").c_str(), "proc", 0, nullptr);
        if (::chroot(jail.c_str()) != 0 || ::chdir("/") != 0)
            ::_exit(4);
    };
    std::string found = inside(
        [&](Failures& failures) {
            CHECK_HERE(contents("/boot/vmlinux") == "jailed kernel");
            CHECK_HERE(::access("/bin/sh", X_OK) == 0);
            CHECK_HERE(missing("/work"));
            CHECK_HERE(missing(jail));
        },
        enter_jail);
    EXPECT_EQ(found, "");
}

TEST_F(MonitorRootTest, AttachesATreeThatFollowsTheHostAndGivesNothingBack) {
    std::string tree = folder_ / "tree";
    ASSERT_TRUE(os::make_folders(tree + "/sub", 0755).ok());
    write(tree + "/f", "hello");
    os::Fd fd = clone(tree);
    std::string found = inside([&](Failures& failures) {
        auto attached = attach_tree(fd.get(), "box/rootfs", {});
        CHECK_HERE(attached.ok());
        CHECK_HERE(contents("/shared/box/rootfs/f") == "hello");
        CHECK_HERE(writable("/shared/box/rootfs/written"));
        CHECK_HERE(!attach_tree(fd.get(), "box/rootfs", {}).ok());
        // Neither the mount points nor anything beside them can be changed through /shared.
        CHECK_HERE(!writable("/shared/box/evil") && errno == EROFS);
        CHECK_HERE(::mkdir("/shared/evil", 0755) != 0 && errno == EROFS);
        CHECK_HERE(::mount("none", "/shared/box/rootfs/sub", "tmpfs", 0, nullptr) == 0);
        CHECK_HERE(writable("/shared/box/rootfs/sub/inner"));

        CHECK_HERE(detach_tree("box/rootfs").ok());
        CHECK_HERE(missing("/shared/box/rootfs") && missing("/shared/box"));
        CHECK_HERE(detach_tree("box/rootfs").ok());
    });
    EXPECT_EQ(found, "");
    EXPECT_EQ(contents(tree + "/written"), "");
    EXPECT_EQ(::access((tree + "/sub/inner").c_str(), F_OK), -1);
}

TEST_F(MonitorRootTest, GivesNoMountBackToASharedHost) {
    std::string tree = folder_ / "tree";
    ASSERT_TRUE(os::make_folders(tree + "/sub", 0755).ok());
    os::Fd shared;
    auto share_all = [&] {
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        ::mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr);
        ::mount("none", (tree + "/sub").c_str(), "tmpfs", 0, nullptr);
        shared = clone(tree);
    };
    std::string found = inside(
        [&](Failures& failures) {
            CHECK_HERE(attach_tree(shared.get(), "box/rootfs", {}).ok());
            // "shared:N" is a peer of the host's mount: what is mounted below shows up there, and outlives
            // us.
            std::istringstream mounts(contents("/proc/self/mountinfo"));
            int mounts_of_tree = 0;
            for (std::string line; std::getline(mounts, line);) {
                if (line.find(" /shared/box/") == std::string::npos)
                    continue;
                ++mounts_of_tree;
                if (line.find(" shared:") != std::string::npos)
                    failures << "is shared: " << line << "\n";
            }
            CHECK_HERE(mounts_of_tree == 2);
        },
        share_all);
    EXPECT_EQ(found, "");
}

TEST_F(MonitorRootTest, AttachesAFile) {
    write(folder_ / "hosts", "127.0.0.1");
    os::Fd fd = clone(folder_ / "hosts");
    EXPECT_EQ(inside([&](Failures& failures) {
                  CHECK_HERE(attach_tree(fd.get(), "box/m0", {true, false}).ok());
                  CHECK_HERE(contents("/shared/box/m0") == "127.0.0.1");
                  CHECK_HERE(!writable("/shared/box/m0") && errno == EROFS);
                  CHECK_HERE(detach_tree("box/m0").ok());
                  CHECK_HERE(missing("/shared/box"));
              }),
              "");
}

TEST_F(MonitorRootTest, ReadonlyHoldsForTheTopOrAll) {
    std::string tree = folder_ / "tree";
    ASSERT_TRUE(os::make_folders(tree + "/sub", 0755).ok());
    std::array<os::Fd, 3> trees;
    // Made within the namespace, so that no mount is left on the host.
    auto mount_below = [&] {
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        ::mount("none", (tree + "/sub").c_str(), "tmpfs", 0, nullptr);
        for (os::Fd& fd : trees)
            fd = clone(tree);
    };
    std::string found = inside(
        [&](Failures& failures) {
            for (bool recursive : {false, true}) {
                CHECK_HERE(attach_tree(trees[recursive ? 1 : 0].get(), "box/t", {true, recursive}).ok());
                CHECK_HERE(!writable("/shared/box/t/f") && errno == EROFS);
                CHECK_HERE(writable("/shared/box/t/sub/f") == !recursive);
                CHECK_HERE(detach_tree("box/t").ok());
            }
            CHECK_HERE(attach_tree(trees[2].get(), "box/t", {}).ok());
            CHECK_HERE(writable("/shared/box/t/f"));
            CHECK_HERE(make_tree_readonly("box/t", false).ok());
            CHECK_HERE(!writable("/shared/box/t/f") && errno == EROFS);
            CHECK_HERE(writable("/shared/box/t/sub/f"));
            CHECK_HERE(make_tree_readonly("box/t", true).ok());
            CHECK_HERE(!writable("/shared/box/t/sub/f") && errno == EROFS);
        },
        mount_below);
    EXPECT_EQ(found, "");
}

TEST_F(MonitorRootTest, RefusesPathsThatLeadElsewhere) {
    std::string tree = folder_ / "tree";
    ASSERT_TRUE(os::make_folders(tree, 0755).ok());
    os::Fd fd = clone(tree);
    EXPECT_EQ(inside([&](Failures& failures) {
                  for (const char* path :
                       {"", "/", "..", "../etc", "a/../b", "a//b", "a/", "/a", "a/.", "a b", "a\n"}) {
                      auto attached = attach_tree(fd.get(), path, {});
                      if (attached.ok() || attached.error().kind() != ErrorKind::invalid_argument)
                          failures << "`" << path << "` was taken\n";
                      CHECK_HERE(!detach_tree(path).ok());
                      CHECK_HERE(!make_tree_readonly(path, false).ok());
                  }
                  CHECK_HERE(entries("/shared").empty());
              }),
              "");
}

TEST_F(MonitorRootTest, LeavesNothingOfATreeThatCannotBeAttached) {
    os::Fd no_tree(::open("/", O_PATH | O_CLOEXEC)); // a mount of the host's, not a clone
    EXPECT_EQ(inside([&](Failures& failures) {
                  CHECK_HERE(!attach_tree(no_tree.get(), "box/t", {}).ok());
                  CHECK_HERE(!attach_tree(-1, "box/t", {}).ok());
                  os::Fd own_root(
                      ::open("/", O_PATH | O_CLOEXEC)); // only the last step fails: it cannot be moved
                  CHECK_HERE(!attach_tree(own_root.get(), "box/t", {}).ok());
                  CHECK_HERE(entries("/shared").empty());
              }),
              "");
}

} // namespace
} // namespace runvm::vm
