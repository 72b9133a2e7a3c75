#pragma once
// virtiofsd, which shows /shared to the guest. Two programs have that name: the C one of QEMU until 7.2
// (/usr/lib/qemu/virtiofsd on Debian 12) and its Rust successor (/usr/libexec/virtiofsd on Debian 13).
// libvirt is not let start it: 9.0 crashes when it does so on hotplug without cgroups
// (qemuVirtioFSSetupCgroup).

#include "core/result.h"
#include "os/fd.h"

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace runvm::vm {

enum class VirtiofsdKind { c, rust };

struct VirtiofsdProgram {
    std::string path;
    VirtiofsdKind kind = VirtiofsdKind::rust;
};

/// The program at `path`, or of the well-known places if that is empty; not_found with the places that were
/// tried. Which of the two it is, is read from its path or else from what it says to --version.
Result<VirtiofsdProgram> find_virtiofsd(const std::string& path);

/// The whole command line. `socket_fd`: the number of its listening socket. `options` are added: for the Rust
/// one as they are ("--thread-pool-size=4"), for the C one those too, and others ("no_flock") after an -o.
std::vector<std::string> virtiofsd_arguments(const VirtiofsdProgram& program,
                                             const std::string& shared_folder, int socket_fd,
                                             const std::vector<std::string>& options);

struct VirtiofsdOptions {
    VirtiofsdProgram program;
    std::string shared_folder; ///< becomes its root, in the caller's mount namespace: later mounts are seen
    std::string socket_path;   ///< made here; QEMU connects to it
    std::string log_path;      ///< its stdout and stderr: on a filesystem that bounds it
    std::vector<std::string> extra_options;
    std::string selinux_label; ///< empty: the caller's
    uid_t qemu_uid = 0;
    gid_t qemu_gid = 0;
};

struct Virtiofsd {
    pid_t pid = 0;
    os::Fd pidfd;                 ///< readable when it has ended
    uint64_t max_guest_files = 0; ///< that it can hold open for the guest
};

/// How many of `open_files` (a hard limit) the program uses for the guest; unavailable if none are left.
Result<uint64_t> guest_files_of(VirtiofsdKind kind, uint64_t open_files);

/// Starts it in a session of its own, with as many open files as the hard limit allows. It serves one
/// connection, QEMU's, and ends with that. QEMU may connect as soon as this returns.
Result<Virtiofsd> start_virtiofsd(const VirtiofsdOptions& options);

} // namespace runvm::vm
