#include "oci/linux.h"

#include "oci/devices.h"
#include "oci/host_limits.h"
#include "oci/id_mappings.h"
#include "oci/mount_options.h"
#include "oci/namespaces.h"
#include "oci/resources.h"
#include "oci/seccomp.h"
#include "oci/sysctl.h"
#include "oci/texts.h"

#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/personality.h>

namespace runvm::oci {

namespace {

constexpr size_t max_name = 64; // __NEW_UTS_LEN

void read_user_namespace(const Value& linux, const NamespaceList& namespaces, const HostPlan& plan,
                         protocol::Container::Builder container) {
    check_user_namespace(linux, namespaces.has(CLONE_NEWUSER), plan.id_mappings);
    const auto& [uids, gids] = plan.id_mappings;
    fill_id_mappings(uids, container.initUidMappings(static_cast<unsigned>(uids.size())));
    fill_id_mappings(gids, container.initGidMappings(static_cast<unsigned>(gids.size())));
}

/// Who gets the container's cgroup, so that it can make others in it: runc's specconv and
/// fs2/create.go. Only with a cgroup namespace and a file system of it that can be written.
void read_cgroup_owner(const Value& root, const NamespaceList& namespaces, const HostPlan& plan,
                       protocol::Container::Builder container) {
    bool is_writable = false;
    for (auto mount : container.asReader().getMounts()) {
        bool is_cgroup = mount.getType() == "cgroup" || mount.getType() == "cgroup2";
        if (is_cgroup && mount.getDestination() == "/sys/fs/cgroup")
            is_writable = (mount.getFlags() & MS_RDONLY) == 0;
    }
    if (!is_writable || !namespaces.has(CLONE_NEWCGROUP))
        return;
    auto uid = static_cast<uint32_t>(root["process"]["user"]["uid"].natural(UINT32_MAX));
    std::optional<uint32_t> owner =
        plan.id_mappings.empty() ? uid : os::to_host_id(plan.id_mappings.uids, uid);
    container.setHasCgroupOwner(owner.has_value());
    container.setCgroupOwner(owner.value_or(0));
}

void read_host_names(const Value& root, const NamespaceList& namespaces,
                     protocol::Container::Builder container, HostPlan& plan) {
    plan.hostname = root["hostname"].text();
    std::string domain = root["domainname"].text();
    for (const char* key : {"hostname", "domainname"}) {
        std::string name = root[key].text();
        if (name.size() > max_name)
            root[key].fail_found("at most " + std::to_string(max_name) + " characters are allowed");
        if (!name.empty() && !namespaces.has(CLONE_NEWUTS)) // runc's words
            root[key].fail("unable to set " + std::string(key) + " without a private UTS namespace");
    }
    container.setHostname(plan.hostname.c_str());
    container.setDomainname(domain.c_str());
}

std::vector<std::string> read_paths(const Value& paths) {
    std::vector<std::string> texts = paths.texts();
    for (const Value& element : paths.elements()) {
        std::string path = element.text();
        if (path.empty() || path[0] != '/')
            element.fail_found("an absolute path is expected");
    }
    return texts;
}

void read_rootfs_propagation(const Value& value, protocol::Container::Builder container) {
    std::string name = value.text();
    if (name.empty())
        return;
    uint64_t propagation = parse_propagation(name);
    if (propagation == 0)
        value.fail("rootfsPropagation=" + name + " is not supported"); // runc's words
    container.setRootfsPropagation(propagation);
}

void read_personality(const Value& personality, protocol::Container::Builder container) {
    if (!personality.present())
        return;
    std::string domain = personality["domain"].text();
    if (domain == "LINUX")
        container.setPersonality(PER_LINUX);
    else if (domain == "LINUX32")
        container.setPersonality(PER_LINUX32);
    else
        personality["domain"].fail_found("allowed are LINUX, LINUX32");
}

} // namespace

void read_linux(const Value& root, protocol::Container::Builder container, HostPlan& plan) {
    Value linux = root["linux"];
    NamespaceList namespaces = read_namespaces(linux["namespaces"], container, plan);
    read_user_namespace(linux, namespaces, plan, container);
    read_cgroup_owner(root, namespaces, plan, container);
    read_host_names(root, namespaces, container, plan);
    read_time_offsets(linux["timeOffsets"], namespaces, container);
    read_sysctl(linux["sysctl"], namespaces, container);
    read_resources(linux["resources"], container.initResources());
    read_devices(linux["devices"], allows_all_devices(linux["resources"]["devices"]), container);
    read_rootfs_propagation(linux["rootfsPropagation"], container);
    read_personality(linux["personality"], container);
    plan.cgroups_path = linux["cgroupsPath"].text();
    plan.host_limits = read_host_limits(linux["resources"]);

    std::vector<std::string> masked = read_paths(linux["maskedPaths"]);
    std::vector<std::string> readonly = read_paths(linux["readonlyPaths"]);
    fill_texts(container.initMaskedPaths(static_cast<unsigned>(masked.size())), masked);
    fill_texts(container.initReadonlyPaths(static_cast<unsigned>(readonly.size())), readonly);
}

} // namespace runvm::oci
