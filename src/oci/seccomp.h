#pragma once
// config-linux.md, "seccomp": compiled here, so that the guest's agent only loads the program.
//
// As in runc, a program that does not allow by default starts with a stub (libcontainer/seccomp/patchbpf): a
// system call with a number above all those that the profile names gets ENOSYS instead of the default action.
// Such calls are newer than the profile, and a libc falls back to an older one on ENOSYS, but fails on EPERM.
// Debian's libc is older than some images' libcs, and the guest's kernel newer than most profiles: without
// the stub those images break.

#include "oci/config.h"
#include "oci/document.h"

namespace runvm::oci {

/// Fills process.seccomp; leaves it null where there is no profile.
void read_seccomp(const Value& seccomp, protocol::Process::Builder process);

/// Names for `features`, sorted.
std::vector<std::string> known_seccomp_actions();
std::vector<std::string> known_seccomp_operators();
std::vector<std::string> known_seccomp_architectures();
std::vector<std::string> known_seccomp_flags();

} // namespace runvm::oci
