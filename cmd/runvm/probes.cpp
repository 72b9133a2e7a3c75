#include "probes.h"

#include "core/defer.h"
#include "os/file.h"
#include "vm/accelerator.h"
#include "vm/emulator.h"
#include "vm/virtiofsd.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

namespace runvm::probes {

namespace {

using Status = Finding::Status;

// QEMU, virtiofsd, monitor and a small guest need about this much (docs/performance.md).
constexpr uint64_t smallest_memory_mib = 384;

Finding good(std::string name, std::string detail) {
    return {std::move(name), Status::ok, std::move(detail), ""};
}

Finding readable_file(const std::string& name, const std::string& path, const std::string& next_step) {
    struct stat info {};
    const bool found = stat(path.c_str(), &info) == 0;
    if (!found || !S_ISREG(info.st_mode))
        return {name, Status::fail, path + " is missing", next_step};
    if (info.st_size == 0)
        return {name, Status::fail, path + " is empty", next_step};
    if (access(path.c_str(), R_OK) != 0)
        return {name, Status::fail, path + " cannot be read", "make it readable: chmod a+r " + path};
    return good(name, path + ", " + std::to_string((info.st_size + 1023) / 1024) + " KiB");
}

/// A line of /proc/meminfo, in MiB; 0 if it is not there.
uint64_t meminfo_mib(const std::string& key) {
    auto text = os::read_file("/proc/meminfo");
    if (!text)
        return 0;
    const size_t at = text->find(key + ":");
    if (at == std::string::npos)
        return 0;
    const size_t digits = text->find_first_of("0123456789", at);
    if (digits == std::string::npos)
        return 0;
    uint64_t kib = 0;
    std::from_chars(text->data() + digits, text->data() + text->size(), kib);
    return kib / 1024;
}

/// The folder itself, or the nearest one above it that exists.
std::string existing_ancestor(std::string path) {
    while (path.size() > 1 && access(path.c_str(), F_OK) != 0)
        path = path.substr(0, path.rfind('/'));
    return path.empty() ? "/" : path;
}

} // namespace

Finding user() {
    if (geteuid() == 0)
        return good("user", "root");
    return {"user", Status::fail, "uid " + std::to_string(geteuid()),
            "run runvm as root: it makes namespaces, mounts and cgroups on the host"};
}

Finding accelerator(const config::Config& config) {
    auto choice = vm::choose_accelerator(config.hypervisor.accelerator, config.paths.run);
    if (!choice) {
        return {"accelerator", Status::fail, choice.error().to_string(),
                "make KVM usable, or set hypervisor.accelerator to \"auto\" or \"tcg\""};
    }
    const std::string detail = choice->name + ": " + choice->reason;
    if (choice->name == "kvm")
        return good("accelerator", detail);
    if (config.hypervisor.accelerator == "tcg")
        return good("accelerator", "tcg, as configured");
    return {"accelerator", Status::warn, detail,
            "guests are emulated, which is slow: use a machine where KVM works"};
}

Finding vsock(const config::Config& config) {
    const os::Fd device(open("/dev/vhost-vsock", O_RDWR | O_CLOEXEC));
    if (device)
        return good("vsock", "/dev/vhost-vsock");
    const int reason = errno;
    const bool needed = config.channel.type == "vsock";
    const std::string detail = std::string("/dev/vhost-vsock: ") + std::strerror(reason);
    std::string next =
        reason == ENOENT ? "load the module: modprobe vhost_vsock" : "give access to /dev/vhost-vsock";
    next += needed ? ", or set channel.type to \"serial\"" : "; until then virtio-serial is used";
    return {"vsock", needed ? Status::fail : Status::warn, detail, next};
}

Finding emulator(const config::Config& config) {
    auto path = vm::find_emulator(config.hypervisor.emulator);
    if (path)
        return good("qemu", *path);
    const std::string& reason = path.error().message();
    const size_t step = reason.find("; ");
    return {"qemu", Status::fail, reason.substr(0, step), reason.substr(step + 2)};
}

Finding libvirt_driver() {
    for (const char* folder : {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64",
                               "/usr/lib", "/usr/local/lib"}) {
        const std::string path = std::string(folder) + "/libvirt/connection-driver/libvirt_driver_qemu.so";
        if (access(path.c_str(), R_OK) == 0)
            return good("libvirt", path);
    }
    return {"libvirt", Status::fail, "libvirt's QEMU driver is missing",
            "install it: apt install libvirt-daemon-driver-qemu (it needs no daemon)"};
}

Finding virtiofsd(const config::Config& config) {
    auto program = vm::find_virtiofsd(config.shared_fs.daemon);
    if (program) {
        const char* kind = program->kind == vm::VirtiofsdKind::c ? "C, of QEMU" : "Rust";
        return good("virtiofsd", program->path + " (" + kind + ")");
    }
    return {"virtiofsd", Status::fail, program.error().to_string(),
            "install it: apt install virtiofsd (Debian 12: qemu-system-common), or set shared_fs.daemon"};
}

Finding programs(const runtime::Layout& layout) {
    for (const char* name : {"runvm-monitor", "runvm-shim"}) {
        const std::string path = layout.libexec + "/" + name;
        if (!os::is_executable_file(path))
            return {"programs", Status::fail, path + " is missing", "install or build all of runvm again"};
    }
    return good("programs", layout.libexec);
}

Finding kernel(const config::Config& config, const runtime::Layout& layout) {
    const std::string& configured = config.hypervisor.kernel;
    return readable_file("kernel", configured.empty() ? layout.share + "/vmlinux" : configured,
                         configured.empty() ? "make the guest image: scripts/demo in runvm's source tree does"
                                            : "correct hypervisor.kernel in config.toml");
}

Finding image(const config::Config& config, const runtime::Layout& layout) {
    const std::string& configured = config.hypervisor.image;
    return readable_file("image", configured.empty() ? layout.share + "/initrd.img" : configured,
                         configured.empty() ? "make the guest image: scripts/demo in runvm's source tree does"
                                            : "correct hypervisor.image in config.toml");
}

Finding namespaces() {
    const pid_t child = fork();
    if (child < 0)
        return {"namespaces", Status::fail, "no process can be started", "free memory or raise the limit"};
    if (child == 0) {
        const int flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
        _exit(unshare(flags) == 0 ? 0 : errno);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return good("namespaces", "mount, pid, network, ipc, uts");
    const std::string reason =
        WIFEXITED(status) ? std::strerror(WEXITSTATUS(status)) : "the probe was killed";
    return {
        "namespaces", Status::fail, "new namespaces cannot be made: " + reason,
        "run runvm as root with CAP_SYS_ADMIN, on a kernel with mount, pid, network, ipc and uts namespaces"};
}

Finding cgroup() {
    struct statfs info {};
    if (statfs("/sys/fs/cgroup", &info) != 0)
        return {"cgroup", Status::warn, "/sys/fs/cgroup is missing",
                "mount it, or limits of containers have no effect on the host"};
    if (info.f_type == CGROUP2_SUPER_MAGIC)
        return good("cgroup", "version 2");
    const bool hybrid = statfs("/sys/fs/cgroup/unified", &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC;
    return good("cgroup", hybrid ? "version 1, with version 2 beside it (hybrid)" : "version 1");
}

Finding memory(const config::Config& config) {
    const uint64_t available_mib = meminfo_mib("MemAvailable");
    const std::string detail = std::to_string(available_mib) + " MiB available";
    if (available_mib < smallest_memory_mib)
        return {"memory", Status::fail, detail,
                "free some: even a small guest needs " + std::to_string(smallest_memory_mib) + " MiB"};
    if (available_mib < config.hypervisor.memory_mib)
        return {"memory", Status::warn, detail,
                "a guest may use " + std::to_string(config.hypervisor.memory_mib) +
                    " MiB: lower hypervisor.memory_mib or the containers' limits"};
    return good("memory", detail);
}

Finding folder(const std::string& name, const std::string& path) {
    const std::string present = existing_ancestor(path);
    struct statvfs info {};
    if (statvfs(present.c_str(), &info) != 0 || access(present.c_str(), W_OK | X_OK) != 0)
        return {name, Status::fail, path + ": " + present + ": " + std::strerror(errno),
                "make it writable, or name another folder"};
    const uint64_t free_kib = info.f_bavail * info.f_frsize / 1024;
    if (free_kib < 1024)
        return {name, Status::fail, path + ": its filesystem is full", "free some space on " + present};
    return good(name, path);
}

} // namespace runvm::probes
