#include "agent/user_namespace.h"

#include "agent/process_setup.h"
#include "agent/protected_paths.h"
#include "agent/syscalls.h"
#include "core/number.h"
#include "os/file.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <sstream>

namespace runvm::agent {

namespace {

std::vector<os::IdMapping> mappings_of(capnp::List<protocol::IdMapping>::Reader list) {
    std::vector<os::IdMapping> mappings;
    for (auto entry : list)
        mappings.push_back({entry.getContainerId(), entry.getHostId(), entry.getSize()});
    return mappings;
}

/// The files below /proc/sys look at the effective user and not at capabilities. They belong to the guest's
/// root, or to the root of the user namespace that the ipc namespace belongs to (from Linux 6.9 on, and where
/// that was taken over: ipc/ipc_sysctl.c).
Result<void> set_sysctl_as_either(protocol::KeyValue::Reader setting, const os::IdMappings& id_mappings) {
    std::string key = setting.getKey().cStr();
    std::string value = sysctl_of_guest(key, setting.getValue().cStr(), id_mappings);
    Result<void> set = set_sysctl(key, value);
    if (set || (set.error().errno_value() != EACCES && set.error().errno_value() != EPERM))
        return set;
    std::optional<uid_t> namespace_root = os::to_host_id(id_mappings.uids, 0);
    if (!namespace_root || ::seteuid(*namespace_root) != 0)
        return system_error("become the container's root");
    set = set_sysctl(key, value);
    if (::seteuid(0) != 0)
        std::abort(); // the agent is nothing without its rights
    return set;
}

Result<void> set_other_sysctls(capnp::List<protocol::KeyValue>::Reader settings,
                               const os::IdMappings& id_mappings) {
    for (auto setting : settings)
        if (!is_user_sysctl(setting.getKey().cStr()))
            RUNVM_TRY(set_sysctl_as_either(setting, id_mappings));
    return {};
}

/// Those of the ipc and uts namespaces are seen from in there only; the network namespace is the guest's. So
/// the agent goes there, and comes back.
Result<void> set_sysctls_in(int pidfd, protocol::Container::Reader container,
                            const os::IdMappings& id_mappings) {
    if (container.getSysctl().size() == 0)
        return {};
    auto joined = static_cast<int>(container.getNewNamespaces() & (CLONE_NEWIPC | CLONE_NEWUTS));
    if (joined == 0)
        return set_other_sysctls(container.getSysctl(), id_mappings);
    RUNVM_ASSIGN(os::Fd own_ipc, os::open_file("/proc/self/ns/ipc", O_RDONLY));
    RUNVM_ASSIGN(os::Fd own_uts, os::open_file("/proc/self/ns/uts", O_RDONLY));
    RUNVM_TRY(join_namespaces(pidfd, joined, "the container"));
    Result<void> set = set_other_sysctls(container.getSysctl(), id_mappings);
    if (!join_namespaces(own_ipc.get(), CLONE_NEWIPC, "the agent") ||
        !join_namespaces(own_uts.get(), CLONE_NEWUTS, "the agent"))
        std::abort(); // there is no way on in a container's namespaces
    return set;
}

} // namespace

os::IdMappings id_mappings_of(protocol::Container::Reader container) {
    return {mappings_of(container.getUidMappings()), mappings_of(container.getGidMappings())};
}

Result<void> set_up_user_namespace(pid_t pid, int pidfd, protocol::Container::Reader container,
                                   const os::IdMappings& id_mappings) {
    RUNVM_TRY(
        os::write_id_mappings(pid, id_mappings).context("map the ids of linux.uidMappings and gidMappings"));
    RUNVM_TRY(grant_privileges(pid, container.getProcess()));
    return set_sysctls_in(pidfd, container, id_mappings);
}

Result<void> become_root() {
    if (::setgroups(0, nullptr) != 0 || ::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0)
        return system_error("become root in the user namespace");
    return {};
}

std::string sysctl_of_guest(const std::string& key, const std::string& value,
                            const os::IdMappings& id_mappings) {
    if (key != "net/ipv4/ping_group_range")
        return value;
    std::istringstream words(value);
    std::string translated;
    for (std::string word; words >> word;) {
        auto gid = whole_number<uint32_t>(word);
        std::optional<uint32_t> guest_gid = gid ? os::to_host_id(id_mappings.gids, *gid) : std::nullopt;
        // What is not mapped is an error, as it is for a process in the namespace: no id is this one.
        translated += (translated.empty() ? "" : " ") + std::to_string(guest_gid.value_or(UINT32_MAX));
    }
    return translated;
}

bool is_user_sysctl(const std::string& key) {
    return key.starts_with("user/");
}

} // namespace runvm::agent
