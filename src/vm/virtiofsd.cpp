#include "vm/virtiofsd.h"

#include "os/file.h"
#include "os/process.h"
#include "os/selinux.h"
#include "vm/qemu_socket.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>

namespace runvm::vm {
namespace {

struct KnownPlace {
    const char* path;
    VirtiofsdKind kind;
};
constexpr std::array<KnownPlace, 5> known_places = {{
    {"/usr/libexec/virtiofsd", VirtiofsdKind::rust},       // Debian 13, Fedora
    {"/usr/lib/virtiofsd", VirtiofsdKind::rust},           // Arch
    {"/usr/lib/virtiofsd/virtiofsd", VirtiofsdKind::rust}, // openSUSE
    {"/usr/lib/qemu/virtiofsd", VirtiofsdKind::c},         // Debian 12, Ubuntu 22.04
    {"/usr/libexec/qemu/virtiofsd", VirtiofsdKind::c},
}};

/// The C one says "virtiofsd version 7.2.22 (Debian ...)" and a line about FUSE, the Rust one
/// "virtiofsd 1.13.0".
Result<VirtiofsdKind> ask_kind(const std::string& path) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return system_error("make a pipe for " + path);
    os::Fd output(ends[0]);
    os::Fd input(ends[1]);
    os::SpawnSpec spec;
    spec.argv = {path, "--version"};
    spec.fds = {{input.get(), 1}, {input.get(), 2}};
    spec.new_session = true;
    RUNVM_ASSIGN(os::Spawned process, os::spawn(spec));
    input.reset();
    constexpr int timeout_ms = 10'000;
    RUNVM_ASSIGN(auto status, os::wait_for_exit(process.pidfd.get(), timeout_ms));
    if (!status) {
        os::end_child(process);
        return Error(ErrorKind::timeout,
                     path + " --version did not end after " + std::to_string(timeout_ms) + " ms");
    }
    RUNVM_ASSIGN(std::string text, os::read_fd(output.get(), path + " --version", 4096));
    if (text.rfind("virtiofsd version ", 0) == 0)
        return VirtiofsdKind::c;
    if (text.rfind("virtiofsd ", 0) == 0)
        return VirtiofsdKind::rust;
    return Error(ErrorKind::invalid_argument,
                 path + " is no virtiofsd: it says `" + text.substr(0, 80) + "`");
}

} // namespace

Result<VirtiofsdProgram> find_virtiofsd(const std::string& path) {
    std::string tried;
    for (const KnownPlace& place : known_places) {
        if (!path.empty() && path != place.path)
            continue;
        if (os::is_executable_file(place.path))
            return VirtiofsdProgram{place.path, place.kind};
        tried += (tried.empty() ? "" : ", ") + std::string(place.path);
    }
    if (path.empty())
        return Error(ErrorKind::not_found,
                     "virtiofsd is not installed (tried " + tried +
                         "); install it, or name it in the configuration's shared_fs.daemon");
    if (!os::is_executable_file(path))
        return Error(ErrorKind::not_found, "virtiofsd cannot be executed at " + path +
                                               "; correct shared_fs.daemon in the configuration");
    RUNVM_ASSIGN(VirtiofsdKind kind, ask_kind(path));
    return VirtiofsdProgram{path, kind};
}

std::vector<std::string> virtiofsd_arguments(const VirtiofsdProgram& program,
                                             const std::string& shared_folder, int socket_fd,
                                             const std::vector<std::string>& options) {
    std::string fd = "--fd=" + std::to_string(socket_fd);
    // The limit of open files is set before: neither program can raise the hard one, and the C one gives up
    // then.
    if (program.kind == VirtiofsdKind::rust) {
        std::vector<std::string> arguments = {
            program.path,        "--shared-dir=" + shared_folder, fd,        "--sandbox=chroot",
            "--rlimit-nofile=0", "--announce-submounts",          "--xattr", "--cache=auto"};
        arguments.insert(arguments.end(), options.begin(), options.end());
        return arguments;
    }
    std::vector<std::string> arguments = {
        program.path, "-f",
        fd,           "--rlimit-nofile=0",
        "-o",         "source=" + shared_folder + ",sandbox=chroot,announce_submounts,xattr,cache=auto"};
    for (const std::string& option : options) {
        if (option.rfind('-', 0) != 0)
            arguments.push_back("-o");
        arguments.push_back(option);
    }
    return arguments;
}

Result<uint64_t> guest_files_of(VirtiofsdKind kind, uint64_t open_files) {
    // INTERNAL_FD_RESERVE and one for its thread, in the Rust one's src/main.rs (1.13): it answers ENFILE
    // when the guest has the others. The C one uses a few dozens and answers EMFILE.
    uint64_t reserve = kind == VirtiofsdKind::rust ? 610 : 0;
    if (open_files <= reserve)
        return Error(ErrorKind::unavailable, "virtiofsd needs more than " + std::to_string(reserve) +
                                                 " open files, and the hard limit is " +
                                                 std::to_string(open_files) + "; raise it (ulimit -Hn)");
    return open_files - reserve;
}

Result<Virtiofsd> start_virtiofsd(const VirtiofsdOptions& options) {
    RUNVM_ASSIGN(os::Fd socket, listen_for_qemu(options.socket_path, options.qemu_uid, options.qemu_gid));
    RUNVM_ASSIGN(os::Fd log, os::open_file(options.log_path, O_WRONLY | O_CREAT | O_APPEND, 0600));
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0)
        return system_error("read the limit of open files");
    RUNVM_ASSIGN(uint64_t guest_files, guest_files_of(options.program.kind, files.rlim_max));

    constexpr int socket_fd = 3;
    os::SpawnSpec spec;
    spec.argv = virtiofsd_arguments(options.program, options.shared_folder, socket_fd, options.extra_options);
    spec.fds = {{log.get(), 1}, {log.get(), 2}, {socket.get(), socket_fd}};
    spec.rlimits = {{RLIMIT_NOFILE, files.rlim_max, files.rlim_max}};
    spec.new_session = true;
    RUNVM_ASSIGN(auto label, os::LabelOfNextExec::set(options.selinux_label));
    auto process = os::spawn(spec);
    if (!process)
        return std::move(process).context("start virtiofsd").error();
    return Virtiofsd{process->pid, std::move(process->pidfd), guest_files};
}

} // namespace runvm::vm
