#include "oci/spec_json.h"

#include "oci/fields.h"

#include <nlohmann/json.hpp>

namespace runvm::oci {

namespace {

using Ordered = nlohmann::ordered_json; // in the order of runc's structs

Ordered mount(const char* destination, const char* type, const char* source,
              const std::vector<std::string>& options) {
    Ordered entry = {{"destination", destination}, {"type", type}, {"source", source}};
    if (!options.empty())
        entry["options"] = options;
    return entry;
}

Ordered make_process() {
    const std::vector<std::string> capabilities = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
    Ordered process;
    process["terminal"] = true;
    process["user"] = {{"uid", 0}, {"gid", 0}};
    process["args"] = {"sh"};
    process["env"] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"};
    process["cwd"] = "/";
    for (const char* set : {"bounding", "effective", "permitted", "ambient"})
        process["capabilities"][set] = capabilities;
    Ordered limit = {{"type", "RLIMIT_NOFILE"}, {"hard", 1024}, {"soft", 1024}};
    process["rlimits"] = Ordered::array({limit});
    process["noNewPrivileges"] = true;
    return process;
}

Ordered make_mounts(bool rootless) {
    Ordered mounts = Ordered::array();
    mounts.push_back(mount("/proc", "proc", "proc", {}));
    mounts.push_back(mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}));
    std::vector<std::string> pts = {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"};
    if (!rootless)
        pts.emplace_back("gid=5"); // a group that a user's namespace does not have
    mounts.push_back(mount("/dev/pts", "devpts", "devpts", pts));
    mounts.push_back(
        mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}));
    mounts.push_back(mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
    if (rootless)
        mounts.push_back(mount("/sys", "none", "/sys", {"rbind", "nosuid", "noexec", "nodev", "ro"}));
    else
        mounts.push_back(mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}));
    mounts.push_back(
        mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}));
    return mounts;
}

Ordered make_namespaces(bool rootless) {
    Ordered namespaces = Ordered::array();
    for (const char* type : {"pid", "network", "ipc", "uts", "mount", "cgroup"})
        if (!rootless || std::string(type) != "network")
            namespaces.push_back({{"type", type}});
    if (rootless)
        namespaces.push_back({{"type", "user"}});
    return namespaces;
}

Ordered make_linux(bool rootless, uid_t uid, gid_t gid) {
    Ordered section;
    if (rootless) {
        Ordered users = {{"containerID", 0}, {"hostID", uid}, {"size", 1}};
        Ordered groups = {{"containerID", 0}, {"hostID", gid}, {"size", 1}};
        section["uidMappings"] = Ordered::array({users});
        section["gidMappings"] = Ordered::array({groups});
    } else {
        Ordered rule = {{"allow", false}, {"access", "rwm"}};
        section["resources"]["devices"] = Ordered::array({rule});
    }
    section["namespaces"] = make_namespaces(rootless);
    section["maskedPaths"] = {
        "/proc/acpi",       "/proc/asound",      "/proc/kcore",       "/proc/keys",    "/proc/latency_stats",
        "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"};
    section["readonlyPaths"] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
    return section;
}

std::string make_spec(bool rootless, uid_t uid, gid_t gid) {
    Ordered spec;
    spec["ociVersion"] = spec_version;
    spec["process"] = make_process();
    spec["root"] = {{"path", "rootfs"}, {"readonly", true}};
    spec["hostname"] = "runvm";
    spec["mounts"] = make_mounts(rootless);
    spec["linux"] = make_linux(rootless, uid, gid);
    return spec.dump(1, '\t');
}

} // namespace

std::string default_spec() {
    return make_spec(false, 0, 0);
}

std::string rootless_spec(uid_t uid, gid_t gid) {
    return make_spec(true, uid, gid);
}

} // namespace runvm::oci
