#pragma once
// The config.json that `runvm spec` writes.

#include <sys/types.h>

#include <optional>
#include <string>

namespace runvm::oci {

/// runc 1.1's file, byte for byte (tabs, order, no final newline), with these differences:
/// - ociVersion is ours, hostname is "runvm";
/// - the cgroup namespace is listed always, as runc does where cgroup v2 is in use: the guest has cgroup v2.
std::string default_spec();

/// runc's `spec --rootless` for these ids: a user namespace, no network namespace, /sys bound from the host.
/// `create` refuses it, because it lists no network namespace.
std::string rootless_spec(uid_t uid, gid_t gid);

} // namespace runvm::oci
