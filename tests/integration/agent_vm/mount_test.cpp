// A container's mounts and protected paths.

#include "agent_calls.h"

#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

namespace runvm::test {

TEST(AgentVm, ProtectsPaths) {
    auto request = container_request(
        "paths", {"sh", "-c",
                  "cat /proc/keys; ls /proc/acpi; echo 1 > /proc/sys/kernel/shmmax; echo a > /etc/new; "
                  "cat /proc/sys/net/core/somaxconn; echo b > /tmp/new; echo c > /dev/shm/x; echo ok"});
    auto container = request.getContainer();
    container.setRootfsReadonly(true);
    set_words(container.initMaskedPaths(3), {"/proc/keys", "/proc/acpi", "/no/such"});
    set_words(container.initReadonlyPaths(2), {"/proc/sys", "/no/such"});
    auto setting = container.initSysctl(1)[0];
    setting.setKey("net.core.somaxconn");
    setting.setValue("321");
    Output output = run("paths", request);
    EXPECT_EQ(output.out, "321\nok\n") << output.failure.text << output.err;
    EXPECT_NE(output.err.find("can't create /proc/sys/kernel/shmmax: Read-only file system"),
              std::string::npos)
        << output.err;
    EXPECT_NE(output.err.find("can't create /etc/new: Read-only file system"), std::string::npos);
    EXPECT_NE(output.err.find("can't create /tmp/new: Read-only file system"), std::string::npos);
}

TEST(AgentVm, KeepsHostileSymlinksInside) {
    namespace fs = std::filesystem;
    std::string root = vm->rootfs();
    fs::create_directory_symlink("/run/runvm/../../..", root + "/trap");
    fs::create_directory_symlink("../../../../../../../escape/deep", root + "/relative");
    auto request =
        container_request("hostile", {"sh", "-c", "mount | grep -E 'trap|escape|data'; ls /escape/deep"}, 3);
    more_mount(request, 0).setDestination("/trap/data");
    more_mount(request, 0).setType("tmpfs");
    more_mount(request, 1).setDestination("/relative/data");
    more_mount(request, 1).setType("tmpfs");
    more_mount(request, 2).setDestination("/new/../made/here");
    more_mount(request, 2).setType("tmpfs");
    Output output = run("hostile", request);
    EXPECT_EQ(output.end.value, 0U) << output.failure.text << output.err;
    EXPECT_NE(output.out.find(" on /data "), std::string::npos) << output.out;
    EXPECT_NE(output.out.find(" on /escape/deep/data "), std::string::npos) << output.out;
    EXPECT_TRUE(fs::is_directory(root + "/made/here"));
    fs::remove(root + "/trap");
    fs::remove(root + "/relative");
    // proc through a symlink is refused
    fs::remove(root + "/proc");
    fs::create_directory_symlink("/tmp", root + "/proc");
    Failure failure = run("hostile", {"true"}).failure;
    EXPECT_EQ(failure.errno_value, ENOTDIR) << failure.text;
    fs::remove(root + "/proc");
    fs::create_directory(root + "/proc");
}

TEST(AgentVm, BindsShares) {
    namespace fs = std::filesystem;
    std::string source = vm->shared() + "/../source";
    fs::create_directories(source + "/sub");
    ASSERT_EQ(::mount("tmpfs", (source + "/sub").c_str(), "tmpfs", 0, nullptr), 0);
    std::ofstream(source + "/file") << "content";
    vm->add_share("binds", "m0", source);
    vm->add_share("binds", "m1", source + "/file");
    auto request = container_request(
        "binds",
        {"sh", "-c",
         "cat /mnt/a/file /mnt/file; touch /mnt/a/x; touch /mnt/a/sub/x && echo sub; touch /mnt/b/sub/y"},
        3);
    auto first = more_mount(request, 0);
    first.setDestination("/mnt/a");
    first.setType("bind");
    first.setShare("m0");
    first.setFlags(MS_BIND | MS_REC | MS_RDONLY);
    set_words(first.initSubmounts(1), {"sub"});
    auto second = more_mount(request, 1);
    second.setDestination("/mnt/file");
    second.setType("bind");
    second.setShare("m1");
    second.setIsFile(true);
    auto third = more_mount(request, 2);
    third.setDestination("/mnt/b");
    third.setType("bind");
    third.setShare("m0");
    third.setFlags(MS_BIND | MS_REC);
    third.setRecursiveSet(MOUNT_ATTR_RDONLY);
    third.setPropagation(MS_SLAVE | MS_REC);
    Output output = run("binds", request);
    EXPECT_EQ(output.out, "contentcontentsub\n") << output.failure.text << output.err;
    EXPECT_NE(output.err.find("/mnt/a/x: Read-only file system"), std::string::npos) << output.err;
    EXPECT_NE(output.err.find("/mnt/b/sub/y: Read-only file system"), std::string::npos) << output.err;
    ::umount2((source + "/sub").c_str(), MNT_DETACH);
}

TEST(AgentVm, CopiesUpIntoATmpfs) {
    std::ofstream(vm->rootfs() + "/home/kept") << "kept";
    auto request =
        container_request("copyup", {"sh", "-c", "cat /home/kept; rm /home/kept; ls -l /home/link"}, 1);
    std::filesystem::create_symlink("/etc/passwd", vm->rootfs() + "/home/link");
    more_mount(request, 0).setDestination("/home");
    more_mount(request, 0).setType("tmpfs");
    more_mount(request, 0).setCopyUp(true);
    Output output = run("copyup", request);
    EXPECT_EQ(output.out.substr(0, 4), "kept") << output.failure.text << output.err;
    EXPECT_NE(output.out.find("/home/link -> /etc/passwd"), std::string::npos);
    EXPECT_TRUE(std::filesystem::exists(vm->rootfs() + "/home/kept"));
}

TEST(AgentVm, GivesATmpfsTheModeOfItsFolder) {
    namespace fs = std::filesystem;
    fs::create_directories(vm->rootfs() + "/modes/a");
    fs::create_directories(vm->rootfs() + "/modes/b");
    fs::permissions(vm->rootfs() + "/modes/a", fs::perms::owner_all);
    auto request = container_request("modes", {"stat", "-c", "%a", "/modes/a", "/modes/b", "/modes/new"}, 3);
    for (auto [index, folder] : {std::pair(0U, "/modes/a"), {1U, "/modes/b"}, {2U, "/modes/new"}}) {
        more_mount(request, index).setDestination(folder);
        more_mount(request, index).setType("tmpfs");
    }
    more_mount(request, 1).setData("mode=711");
    Output output = run("modes", request);
    EXPECT_EQ(output.out, "700\n711\n1777\n") << output.failure.text << output.err;
    fs::remove_all(vm->rootfs() + "/modes");
}

} // namespace runvm::test
