#include "agent/boot.h"

#include "agent/cgroup.h"
#include "agent/console.h"
#include "agent/kernel_options.h"
#include "agent/shared_folder.h"
#include "agent/syscalls.h"
#include "core/take_until.h"
#include "os/file.h"
#include "os/loopback.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

namespace runvm::agent {

namespace {

constexpr const char* modules_file = "/etc/runvm/modules";
constexpr const char* modules_on_demand_file = "/etc/runvm/modules-on-demand";
constexpr const char* secret_file = "/etc/runvm/secret";
constexpr const char* new_root = "/newroot";
constexpr const char* guest_hostname = "runvm";
constexpr uint64_t max_secret_bytes = 1024;
constexpr long kill_check_ns = 2'000'000;
constexpr int max_kill_checks = 500;
constexpr rlim_t max_open_files = 1U << 20U;

struct KernelMount {
    const char* type;
    const char* path;
    unsigned long flags;
    const char* data;
};

constexpr std::array<KernelMount, 8> kernel_mounts = {{
    {"proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, ""},
    {"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, ""},
    {"devtmpfs", "/dev", MS_NOSUID, "mode=0755"},
    {"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,ptmxmode=0666"},
    {"tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777"},
    {"tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755"},
    {"tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777"},
    {"cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, "nsdelegate"},
}};

Result<void> make_folder(const char* path) {
    if (::mkdir(path, 0755) != 0 && errno != EEXIST)
        return system_error(std::string("mkdir ") + path);
    return {};
}

Result<void> load_module(int folder, const std::string& path) {
    RUNVM_ASSIGN(os::Fd file, open_in_root(folder, path, O_RDONLY));
    if (::syscall(SYS_finit_module, file.get(), "", 0) != 0 && errno != EEXIST)
        return system_error("load the module " + path);
    return {};
}

/// The lines of a list in the initial RAM disk, which may lack it.
Result<std::vector<std::string>> listed_modules(int initial_root, const char* list_file) {
    std::vector<std::string> paths;
    Result<os::Fd> file = open_in_root(initial_root, list_file, O_RDONLY);
    if (!file)
        return file.error().errno_value() == ENOENT ? Result(paths) : std::move(file).error();
    RUNVM_ASSIGN(std::string list, os::read_fd(file->get(), list_file));
    for (std::string_view rest = list; !rest.empty();)
        if (std::string_view line = take_until(rest, '\n'); !line.empty())
            paths.emplace_back(line);
    return paths;
}

/// Loads what the initial RAM disk lists, less what this channel does not need, and deletes it there: its
/// pages are the guest's memory.
Result<void> load_modules(int initial_root, bool uses_vsock) {
    RUNVM_ASSIGN(std::vector<std::string> paths, listed_modules(initial_root, modules_file));
    for (const std::string& path : paths) {
        if (uses_vsock || path.find("vsock") == std::string::npos)
            RUNVM_TRY(load_module(initial_root, path));
        ::unlinkat(initial_root, path.c_str() + path.find_first_not_of('/'), 0);
    }
    return {};
}

/// The secret of this boot, which the monitor adds to the initial RAM disk where the channel wants one. It is
/// deleted there: no container shall know it.
Result<std::string> take_secret(int initial_root) {
    Result<os::Fd> file = open_in_root(initial_root, secret_file, O_RDONLY);
    if (!file)
        return file.error().errno_value() == ENOENT ? Result<std::string>("") : std::move(file).error();
    RUNVM_ASSIGN(std::string secret, os::read_fd(file->get(), secret_file, max_secret_bytes));
    if (::unlinkat(initial_root, secret_file + 1, 0) != 0)
        return system_error(std::string("delete ") + secret_file);
    return secret;
}

/// pivot_root(2) does not work on the initial RAM disk's own mount, so the agent lives in a tmpfs on top of
/// it, in the way of switch_root(8).
Result<void> leave_initial_root() {
    RUNVM_TRY(make_folder(new_root));
    if (::mount("tmpfs", new_root, "tmpfs", 0, "mode=0755") != 0)
        return system_error("mount the root tmpfs");
    if (::chdir(new_root) != 0)
        return system_error("enter the root tmpfs");
    if (::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0)
        return system_error("move the root tmpfs to /");
    if (::chroot(".") != 0 || ::chdir("/") != 0)
        return system_error("change the root");
    return {};
}

Result<void> mount_kernel_filesystems() {
    for (const KernelMount& entry : kernel_mounts) {
        RUNVM_TRY(make_folder(entry.path));
        if (::mount(entry.type, entry.path, entry.type, entry.flags, entry.data) != 0)
            return system_error(std::string("mount ") + entry.path);
        if (std::string(entry.path) == "/dev")
            open_console();
    }
    for (const char* path : {"/run/runvm", SharedFolder::path, "/run/runvm/rootfs"})
        RUNVM_TRY(make_folder(path));
    return {};
}

} // namespace

Result<BootedGuest> boot_guest() {
    // A container's root must not read the agent's memory while an exec is on its way into the container.
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    ::setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    RUNVM_ASSIGN(os::Fd initial_root, os::open_file("/", O_PATH | O_DIRECTORY));
    RUNVM_TRY(leave_initial_root());
    RUNVM_TRY(mount_kernel_filesystems());
    RUNVM_ASSIGN(std::string command_line, os::read_file("/proc/cmdline"));
    KernelOptions options = parse_kernel_options(command_line);
    RUNVM_ASSIGN(options["secret"], take_secret(initial_root.get()));
    RUNVM_TRY(load_modules(initial_root.get(), options["channel"] == "vsock"));
    RUNVM_TRY(os::bring_loopback_up());
    if (::sethostname(guest_hostname, std::strlen(guest_hostname)) != 0)
        return system_error("set the hostname");
    rlimit files{max_open_files, max_open_files};
    if (::setrlimit(RLIMIT_NOFILE, &files) != 0)
        return system_error("raise the limit of open files");
    RUNVM_TRY(Cgroup::prepare_parent());
    return BootedGuest{std::move(options), std::move(initial_root)};
}

Result<void> load_module_on_demand(int initial_root, const std::string& name) {
    RUNVM_ASSIGN(std::vector<std::string> lines, listed_modules(initial_root, modules_on_demand_file));
    for (std::string_view line : lines)
        if (take_until(line, ' ') == name)
            RUNVM_TRY(load_module(initial_root, std::string(line)));
    return {};
}

void power_off() {
    ::kill(-1, SIGKILL);
    timespec interval{0, kill_check_ns};
    for (int i = 0; i < max_kill_checks && ::waitpid(-1, nullptr, WNOHANG) >= 0; ++i)
        ::nanosleep(&interval, nullptr);
    // The host's files have no dirty pages when no process is left, and a sync would be one of the host's
    // disks.
    ::reboot(RB_POWER_OFF);
    while (true)
        ::pause();
}

void give_up(const std::string& why) {
    log_line("cannot go on: " + why);
    power_off();
}

} // namespace runvm::agent
