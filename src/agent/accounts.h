#pragma once
// HOME for a process whose environment has none: runc takes it from the container's /etc/passwd.

#include <sys/types.h>

#include <string>
#include <string_view>

namespace runvm::agent {

/// The home folder of the user in the text of a passwd(5) file; empty if it is not there.
std::string home_in_passwd(std::string_view passwd, uid_t uid);

/// The home folder in /etc/passwd of this process's root, which is hostile: anything but a regular file of at
/// most 1 MiB counts as missing. "/" if there is none, as in runc.
std::string home_of(uid_t uid);

} // namespace runvm::agent
