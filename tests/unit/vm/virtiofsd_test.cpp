#include "vm/virtiofsd.h"

#include "os/process.h"
#include "temporary_folder.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace runvm::vm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// A program that is none of the known ones by its path.
std::string write_script(const TemporaryFolder& folder, const std::string& body) {
    std::string path = folder / "virtiofsd";
    EXPECT_TRUE(os::write_file_atomically(path, "#!/bin/sh\n" + body + "\n", 0755, false).ok());
    return path;
}

TEST(Virtiofsd, ArgumentsOfTheRustOne) {
    VirtiofsdProgram program{"/usr/libexec/virtiofsd", VirtiofsdKind::rust};
    EXPECT_THAT(virtiofsd_arguments(program, "/shared", 3, {"--thread-pool-size=4"}),
                ElementsAre("/usr/libexec/virtiofsd", "--shared-dir=/shared", "--fd=3", "--sandbox=chroot",
                            "--rlimit-nofile=0", "--announce-submounts", "--xattr", "--cache=auto",
                            "--thread-pool-size=4"));
}

TEST(Virtiofsd, ArgumentsOfTheCOne) {
    VirtiofsdProgram program{"/usr/lib/qemu/virtiofsd", VirtiofsdKind::c};
    EXPECT_THAT(virtiofsd_arguments(program, "/shared", 3, {"--thread-pool-size=4", "flock"}),
                ElementsAre("/usr/lib/qemu/virtiofsd", "-f", "--fd=3", "--rlimit-nofile=0", "-o",
                            "source=/shared,sandbox=chroot,announce_submounts,xattr,cache=auto",
                            "--thread-pool-size=4", "-o", "flock"));
}

TEST(Virtiofsd, TheRustOneKeepsFilesForItself) {
    EXPECT_EQ(*guest_files_of(VirtiofsdKind::c, 1000), 1000U);
    EXPECT_EQ(*guest_files_of(VirtiofsdKind::rust, 1000), 390U);
    EXPECT_EQ(*guest_files_of(VirtiofsdKind::rust, 611), 1U);
    auto none = guest_files_of(VirtiofsdKind::rust, 610);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().to_string(),
              "virtiofsd needs more than 610 open files, and the hard limit is 610; raise it (ulimit -Hn)");
}

TEST(Virtiofsd, AsksAProgramWhichOneItIs) {
    TemporaryFolder folder;
    auto program = find_virtiofsd(write_script(folder, "echo 'virtiofsd version 7.2.22 (Debian)'"));
    ASSERT_TRUE(program.ok()) << program.error().to_string();
    EXPECT_EQ(program->kind, VirtiofsdKind::c);
    program = find_virtiofsd(write_script(folder, "echo virtiofsd 1.13.0"));
    ASSERT_TRUE(program.ok());
    EXPECT_EQ(program->kind, VirtiofsdKind::rust);
    program = find_virtiofsd(write_script(folder, "echo something else"));
    ASSERT_FALSE(program.ok());
    EXPECT_THAT(program.error().message(), HasSubstr("something else"));
}

TEST(Virtiofsd, NamesTheSettingWhenItIsNotThere) {
    auto program = find_virtiofsd("/nonexistent/virtiofsd");
    ASSERT_FALSE(program.ok());
    EXPECT_EQ(program.error().kind(), ErrorKind::not_found);
    EXPECT_THAT(program.error().message(), HasSubstr("shared_fs.daemon"));
}

TEST(Virtiofsd, StartsAloneWithItsSocketAndLog) {
    TemporaryFolder folder;
    VirtiofsdOptions options;
    options.program = {
        write_script(folder,
                     "cd /proc/$$/fd; for f in 0 1 2 3 4 5 6 7 8 9; do [ ! -e $f ] || printf '%s ' $f; done; "
                     "echo; readlink 3; ulimit -n; "
                     "cut -d' ' -f6 /proc/$$/stat; echo pid $$; env"),
        VirtiofsdKind::rust};
    options.shared_folder = "/shared";
    options.socket_path = folder / "socket";
    options.log_path = folder / "log";
    options.qemu_uid = ::geteuid();
    options.qemu_gid = ::getegid();
    os::Fd inherited(::dup(0)); // not close-on-exec
    auto started = start_virtiofsd(options);
    ASSERT_TRUE(started.ok()) << started.error().to_string();
    auto status = os::wait_for_exit(started->pidfd.get(), 30'000);
    ASSERT_TRUE(status.ok() && status->has_value());
    EXPECT_EQ((*status)->code, 0);

    auto log = os::read_file(options.log_path);
    ASSERT_TRUE(log.ok());
    EXPECT_EQ(log->rfind("0 1 2 3 \nsocket:[", 0), 0U) << *log;
    rlimit files{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
    std::string hard = files.rlim_max == RLIM_INFINITY ? "unlimited" : std::to_string(files.rlim_max);
    std::string pid = std::to_string(started->pid);
    EXPECT_THAT(*log, HasSubstr("\n" + hard + "\n" + pid + "\npid " + pid + "\n")); // leads its own session
    EXPECT_THAT(*log, Not(HasSubstr("HOME=")));
    EXPECT_EQ(::access(options.socket_path.c_str(), F_OK), 0);
}

TEST(Virtiofsd, NamesTheProgramThatCannotBeStarted) {
    TemporaryFolder folder;
    VirtiofsdOptions options;
    options.program = {"/nonexistent/virtiofsd", VirtiofsdKind::rust};
    options.socket_path = folder / "socket";
    options.log_path = folder / "log";
    options.qemu_uid = ::geteuid();
    options.qemu_gid = ::getegid();
    auto started = start_virtiofsd(options);
    ASSERT_FALSE(started.ok());
    EXPECT_THAT(started.error().to_string(), HasSubstr("start virtiofsd: execute /nonexistent/virtiofsd"));
}

} // namespace
} // namespace runvm::vm
