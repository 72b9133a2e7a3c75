#include "oci/fields.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <unordered_map>

namespace runvm::oci {

namespace {

constexpr auto honoured = Handling::honoured;
constexpr auto refused = Handling::refused;
constexpr auto no_effect = Handling::no_effect;

constexpr const char* platform_reason = "is another platform's configuration; runvm's containers are Linux";
constexpr const char* cgroup_v1_reason =
    "exists in cgroup v1 only; the guest has cgroup v2, where runc ignores it too";
constexpr const char* block_io_reason = "on the host, where the container's files are read and written";
constexpr const char* label_reason = "the guest has no such security module; the VM is the boundary";

constexpr Field table[] = {
    {"ociVersion", honoured, "1.x"},
    {"process", honoured, ""},
    {"process.terminal", honoured, ""},
    {"process.consoleSize", honoured, "with process.terminal"},
    {"process.consoleSize.height", honoured, ""},
    {"process.consoleSize.width", honoured, ""},
    {"process.cwd", honoured, ""},
    {"process.env", honoured, "of a name that comes twice the last value counts, as in runc"},
    {"process.args", honoured, ""},
    {"process.commandLine", no_effect, "is for Windows"},
    {"process.rlimits", honoured, ""},
    {"process.rlimits[].type", honoured, ""},
    {"process.rlimits[].soft", honoured, ""},
    {"process.rlimits[].hard", honoured, ""},
    {"process.apparmorProfile", no_effect, label_reason},
    {"process.capabilities", honoured, "unknown names are noted and left out, as in runc"},
    {"process.capabilities.effective", honoured, ""},
    {"process.capabilities.bounding", honoured, ""},
    {"process.capabilities.inheritable", honoured, ""},
    {"process.capabilities.permitted", honoured, ""},
    {"process.capabilities.ambient", honoured,
     "those that are permitted and inheritable: the kernel allows no other"},
    {"process.noNewPrivileges", honoured, ""},
    {"process.oomScoreAdj", honoured, "in the guest"},
    {"process.scheduler", honoured, "in the guest"},
    {"process.scheduler.policy", honoured, ""},
    {"process.scheduler.nice", honoured, ""},
    {"process.scheduler.priority", honoured, ""},
    {"process.scheduler.flags", honoured, ""},
    {"process.scheduler.runtime", honoured, ""},
    {"process.scheduler.deadline", honoured, ""},
    {"process.scheduler.period", honoured, ""},
    {"process.selinuxLabel", no_effect,
     "the guest has no such security module; on a host that has SELinux, QEMU and virtiofsd get the label"},
    {"process.ioPriority", honoured, "in the guest"},
    {"process.ioPriority.class", honoured, ""},
    {"process.ioPriority.priority", honoured, ""},
    {"process.execCPUAffinity", honoured, "of processes started by exec, on the guest's cpus"},
    {"process.execCPUAffinity.initial", no_effect,
     "is the affinity of the runtime's process on the host, which the guest's processes do not inherit"},
    {"process.execCPUAffinity.final", honoured, ""},
    {"process.user", honoured, ""},
    {"process.user.uid", honoured, ""},
    {"process.user.gid", honoured, ""},
    {"process.user.umask", honoured, ""},
    {"process.user.additionalGids", honoured, ""},
    {"process.user.username", no_effect, "is for Windows"},
    {"root", honoured, ""},
    {"root.path", honoured, ""},
    {"root.readonly", honoured, "enforced on the host"},
    {"hostname", honoured, "when it is missing the host's, as from runc"},
    {"domainname", honoured, "when it is missing the host's, as from runc"},
    {"mounts", honoured, ""},
    {"mounts[].destination", honoured, "but the root itself, which is root.path"},
    {"mounts[].type", honoured, "bind mounts, and file systems of the guest's kernel that need no device"},
    {"mounts[].source", honoured, "a bind mount's: folders, files, and device nodes that the guest has too"},
    {"mounts[].options", honoured,
     "all of the specification; what a container mounts stays in its VM, so shared and rshared do what slave "
     "does"},
    {"mounts[].uidMappings", honoured,
     "of a bind mount, on the host, whose kernel has to support it for the source's file system"},
    {"mounts[].uidMappings[].containerID", honoured, ""},
    {"mounts[].uidMappings[].hostID", honoured, ""},
    {"mounts[].uidMappings[].size", honoured, ""},
    {"mounts[].gidMappings", honoured, "as uidMappings"},
    {"mounts[].gidMappings[].containerID", honoured, ""},
    {"mounts[].gidMappings[].hostID", honoured, ""},
    {"mounts[].gidMappings[].size", honoured, ""},
    {"hooks", honoured, ""},
    {"hooks.prestart", honoured, "on the host"},
    {"hooks.prestart[].path", honoured, ""},
    {"hooks.prestart[].args", honoured, ""},
    {"hooks.prestart[].env", honoured, "when it is missing the hook gets runvm's, as from runc"},
    {"hooks.prestart[].timeout", honoured, ""},
    {"hooks.createRuntime", honoured, "on the host"},
    {"hooks.createRuntime[].path", honoured, ""},
    {"hooks.createRuntime[].args", honoured, ""},
    {"hooks.createRuntime[].env", honoured, "when it is missing the hook gets runvm's, as from runc"},
    {"hooks.createRuntime[].timeout", honoured, ""},
    {"hooks.createContainer", honoured,
     "on the host, in the shim's namespaces; what it mounts in the rootfs is seen in the guest"},
    {"hooks.createContainer[].path", honoured, ""},
    {"hooks.createContainer[].args", honoured, ""},
    {"hooks.createContainer[].env", honoured, "when it is missing the hook gets runvm's, as from runc"},
    {"hooks.createContainer[].timeout", honoured, ""},
    {"hooks.startContainer", honoured, "in the guest, with the rights of the process"},
    {"hooks.startContainer[].path", honoured, ""},
    {"hooks.startContainer[].args", honoured, ""},
    {"hooks.startContainer[].env", honoured, "when it is missing the hook gets the process's, as from runc"},
    {"hooks.startContainer[].timeout", honoured, ""},
    {"hooks.poststart", honoured, "on the host"},
    {"hooks.poststart[].path", honoured, ""},
    {"hooks.poststart[].args", honoured, ""},
    {"hooks.poststart[].env", honoured, "when it is missing the hook gets runvm's, as from runc"},
    {"hooks.poststart[].timeout", honoured, ""},
    {"hooks.poststop", honoured, "on the host; what fails is a warning"},
    {"hooks.poststop[].path", honoured, ""},
    {"hooks.poststop[].args", honoured, ""},
    {"hooks.poststop[].env", honoured, "when it is missing the hook gets runvm's, as from runc"},
    {"hooks.poststop[].timeout", honoured, ""},
    {"annotations", honoured, ""},
    {"annotations.*", honoured, ""},
    {"solaris", refused, platform_reason},
    {"windows", refused, platform_reason},
    {"zos", refused, platform_reason},
    {"freebsd", refused, platform_reason},
    {"vm", refused, "the machine is set in runvm's own configuration, config.toml"},
    {"linux", honoured, ""},
    {"linux.uidMappings", honoured, "a hostID is the owner of files on the host"},
    {"linux.uidMappings[].containerID", honoured, ""},
    {"linux.uidMappings[].hostID", honoured, ""},
    {"linux.uidMappings[].size", honoured, ""},
    {"linux.gidMappings", honoured, ""},
    {"linux.gidMappings[].containerID", honoured, ""},
    {"linux.gidMappings[].hostID", honoured, ""},
    {"linux.gidMappings[].size", honoured, ""},
    {"linux.sysctl", honoured, "the keys that belong to a namespace, as in runc"},
    {"linux.sysctl.*", honoured, ""},
    {"linux.cgroupsPath", honoured,
     "the host's cgroup of the machine and its shims; the guest has one of its own"},
    {"linux.namespaces", honoured,
     "pid, network, mount, ipc and uts have to be listed: a VM cannot share the host's"},
    {"linux.namespaces[].type", honoured, ""},
    {"linux.namespaces[].path", honoured,
     "of a network namespace; another namespace of the host cannot be joined"},
    {"linux.devices", honoured,
     "nodes of the guest's devices; a disk of the host is plugged in, another device that only the host has "
     "is refused"},
    {"linux.devices[].path", honoured, ""},
    {"linux.devices[].type", honoured, ""},
    {"linux.devices[].major", honoured, ""},
    {"linux.devices[].minor", honoured, ""},
    {"linux.devices[].fileMode", honoured, ""},
    {"linux.devices[].uid", honoured, ""},
    {"linux.devices[].gid", honoured, ""},
    {"linux.netDevices", refused, "a network device of the host cannot be moved into a VM"},
    {"linux.seccomp", honoured, "compiled on the host, in force in the guest"},
    {"linux.seccomp.defaultAction", honoured, "all but SCMP_ACT_NOTIFY"},
    {"linux.seccomp.defaultErrnoRet", honoured, ""},
    {"linux.seccomp.architectures", honoured, ""},
    {"linux.seccomp.flags", honoured, "all but SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"},
    {"linux.seccomp.listenerPath", no_effect, "of SCMP_ACT_NOTIFY alone, which is refused"},
    {"linux.seccomp.listenerMetadata", no_effect, "of SCMP_ACT_NOTIFY alone, which is refused"},
    {"linux.seccomp.syscalls", honoured, "unknown names are left out, as in runc"},
    {"linux.seccomp.syscalls[].names", honoured, ""},
    {"linux.seccomp.syscalls[].action", honoured, "all but SCMP_ACT_NOTIFY"},
    {"linux.seccomp.syscalls[].errnoRet", honoured, ""},
    {"linux.seccomp.syscalls[].args", honoured, ""},
    {"linux.seccomp.syscalls[].args[].index", honoured, ""},
    {"linux.seccomp.syscalls[].args[].value", honoured, ""},
    {"linux.seccomp.syscalls[].args[].valueTwo", honoured, ""},
    {"linux.seccomp.syscalls[].args[].op", honoured, ""},
    {"linux.rootfsPropagation", honoured, "in the guest"},
    {"linux.maskedPaths", honoured, ""},
    {"linux.readonlyPaths", honoured, ""},
    {"linux.mountLabel", no_effect, label_reason},
    {"linux.intelRdt", refused,
     "cache and memory bandwidth classes are the host's and cannot be set from a VM"},
    {"linux.memoryPolicy", refused, "the VM has one memory node; bind the whole VM on the host instead"},
    {"linux.personality", honoured, ""},
    {"linux.personality.domain", honoured, ""},
    {"linux.personality.flags", refused, "the specification defines no personality flag"},
    {"linux.timeOffsets", honoured, ""},
    {"linux.timeOffsets.*", honoured, "monotonic, boottime"},
    {"linux.timeOffsets.*.secs", honoured, ""},
    {"linux.timeOffsets.*.nanosecs", honoured, ""},
    {"linux.resources", honoured, "as files of the guest's cgroup v2"},
    {"linux.resources.devices", honoured, "with runc's default rules after them"},
    {"linux.resources.devices[].allow", honoured, ""},
    {"linux.resources.devices[].type", honoured, ""},
    {"linux.resources.devices[].major", honoured, ""},
    {"linux.resources.devices[].minor", honoured, ""},
    {"linux.resources.devices[].access", honoured, ""},
    {"linux.resources.memory", honoured, ""},
    {"linux.resources.memory.limit", honoured, "memory.max"},
    {"linux.resources.memory.reservation", honoured, "memory.low"},
    {"linux.resources.memory.swap", honoured, "memory.swap.max, less the limit"},
    {"linux.resources.memory.kernel", no_effect, cgroup_v1_reason},
    {"linux.resources.memory.kernelTCP", no_effect, cgroup_v1_reason},
    {"linux.resources.memory.swappiness", no_effect, cgroup_v1_reason},
    {"linux.resources.memory.disableOOMKiller", no_effect, cgroup_v1_reason},
    {"linux.resources.memory.useHierarchy", no_effect, cgroup_v1_reason},
    {"linux.resources.memory.checkBeforeUpdate", honoured,
     "an update to less than what is used is always refused"},
    {"linux.resources.cpu", honoured, ""},
    {"linux.resources.cpu.shares", honoured, "cpu.weight, by runc's formula"},
    {"linux.resources.cpu.quota", honoured, "cpu.max"},
    {"linux.resources.cpu.burst", honoured, "cpu.max.burst"},
    {"linux.resources.cpu.period", honoured, "cpu.max"},
    {"linux.resources.cpu.realtimeRuntime", no_effect, cgroup_v1_reason},
    {"linux.resources.cpu.realtimePeriod", no_effect, cgroup_v1_reason},
    {"linux.resources.cpu.cpus", honoured, "cpuset.cpus: the guest's cpus"},
    {"linux.resources.cpu.mems", honoured, "cpuset.mems: the guest's nodes"},
    {"linux.resources.cpu.idle", honoured, "cpu.idle"},
    {"linux.resources.pids", honoured, ""},
    {"linux.resources.pids.limit", honoured, "pids.max"},
    {"linux.resources.blockIO", honoured, ""},
    {"linux.resources.blockIO.weight", honoured,
     "on the host, where its I/O scheduler has weights; and io.weight for the guest's block devices"},
    {"linux.resources.blockIO.leafWeight", no_effect, cgroup_v1_reason},
    {"linux.resources.blockIO.weightDevice", honoured, block_io_reason},
    {"linux.resources.blockIO.weightDevice[].major", honoured, ""},
    {"linux.resources.blockIO.weightDevice[].minor", honoured, ""},
    {"linux.resources.blockIO.weightDevice[].weight", honoured, ""},
    {"linux.resources.blockIO.weightDevice[].leafWeight", no_effect, cgroup_v1_reason},
    {"linux.resources.blockIO.throttleReadBpsDevice", honoured, block_io_reason},
    {"linux.resources.blockIO.throttleReadBpsDevice[].major", honoured, ""},
    {"linux.resources.blockIO.throttleReadBpsDevice[].minor", honoured, ""},
    {"linux.resources.blockIO.throttleReadBpsDevice[].rate", honoured, ""},
    {"linux.resources.blockIO.throttleWriteBpsDevice", honoured, block_io_reason},
    {"linux.resources.blockIO.throttleWriteBpsDevice[].major", honoured, ""},
    {"linux.resources.blockIO.throttleWriteBpsDevice[].minor", honoured, ""},
    {"linux.resources.blockIO.throttleWriteBpsDevice[].rate", honoured, ""},
    {"linux.resources.blockIO.throttleReadIOPSDevice", honoured, block_io_reason},
    {"linux.resources.blockIO.throttleReadIOPSDevice[].major", honoured, ""},
    {"linux.resources.blockIO.throttleReadIOPSDevice[].minor", honoured, ""},
    {"linux.resources.blockIO.throttleReadIOPSDevice[].rate", honoured, ""},
    {"linux.resources.blockIO.throttleWriteIOPSDevice", honoured, block_io_reason},
    {"linux.resources.blockIO.throttleWriteIOPSDevice[].major", honoured, ""},
    {"linux.resources.blockIO.throttleWriteIOPSDevice[].minor", honoured, ""},
    {"linux.resources.blockIO.throttleWriteIOPSDevice[].rate", honoured, ""},
    {"linux.resources.hugepageLimits", honoured, "hugetlb.SIZE.max"},
    {"linux.resources.hugepageLimits[].pageSize", honoured, ""},
    {"linux.resources.hugepageLimits[].limit", honoured, ""},
    {"linux.resources.network", honoured, "when it is empty"},
    {"linux.resources.network.classID", no_effect, cgroup_v1_reason},
    {"linux.resources.network.priorities", no_effect, cgroup_v1_reason},
    {"linux.resources.rdma", refused, "an RDMA device of the host cannot be reached from a VM"},
    {"linux.resources.unified", honoured, ""},
    {"linux.resources.unified.*", honoured, ""},
};

std::string lower_case(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return lower;
}

const Field* find_field(const std::string& path) {
    static const auto by_path = [] {
        std::unordered_map<std::string, const Field*> map;
        for (const Field& field : table)
            map.emplace(field.path, &field);
        return map;
    }();
    auto found = by_path.find(path);
    return found == by_path.end() ? nullptr : found->second;
}

// The field that differs from `path` in its case alone; nullptr if there is none.
const Field* find_field_ignoring_case(const std::string& path) {
    static const auto by_lower_path = [] {
        std::unordered_map<std::string, const Field*> map;
        for (const Field& field : table)
            map.emplace(lower_case(field.path), &field);
        return map;
    }();
    auto found = by_lower_path.find(lower_case(path));
    return found == by_lower_path.end() ? nullptr : found->second;
}

bool is_empty(const Json& json) {
    if (json.is_null())
        return true;
    if (json.is_boolean())
        return !json.get<bool>();
    if (json.is_number())
        return json == 0; // Docker sends a weight of 0 for none
    if (json.is_string())
        return json.get_ref<const std::string&>().empty();
    return json.is_structured() && json.empty();
}

void check_value(const Value& value, const std::string& path);

void check_member(const Value& member, const std::string& parent, const std::string& key) {
    std::string path = parent.empty() ? key : parent + "." + key;
    bool is_plain = key.find_first_of(".[*") == std::string::npos; // "a.b" is one key, not b below a
    const Field* field = is_plain ? find_field(path) : nullptr;
    if (field == nullptr) {
        path = parent + ".*";
        field = find_field(path);
    }
    if (field == nullptr) {
        const Field* meant = find_field_ignoring_case(parent.empty() ? key : parent + "." + key);
        if (meant != nullptr && is_plain)
            member.fail("keys are case-sensitive; write " + std::string(meant->path));
        else
            member.note("is not in the specification and is ignored");
        return;
    }
    if (is_empty(*member.json()))
        return;
    if (field->handling == Handling::refused) {
        member.fail(ErrorKind::unsupported, field->reason);
    } else if (field->handling == Handling::no_effect) {
        member.note("is accepted without effect: " + std::string(field->reason));
    } else {
        check_value(member, path);
    }
}

void check_value(const Value& value, const std::string& path) {
    if (!value.present())
        return;
    if (value.json()->is_object()) {
        for (const auto& [key, member] : value.members())
            check_member(member, path, key);
    } else if (value.json()->is_array()) {
        for (const Value& element : value.elements())
            if (element.json()->is_object())
                check_value(element, path + "[]");
    }
}

const char* to_word(Handling handling) {
    switch (handling) {
    case Handling::honoured:
        return "honoured";
    case Handling::refused:
        return "refused";
    case Handling::no_effect:
        return "no effect";
    }
    return "";
}

} // namespace

std::span<const Field> fields() {
    return table;
}

bool is_honoured(const std::string& path) {
    const Field* field = find_field(path);
    return field != nullptr && field->handling == Handling::honoured;
}

void check_fields(const Value& value, std::string_view path) {
    check_value(value, std::string(path));
}

std::string spec_coverage_markdown() {
    std::string text =
        "# Coverage of the runtime specification " + std::string(spec_version) +
        "\n\n"
        "Generated from the table in `src/oci/fields.cpp`; the unit tests compare it with this file.\n\n"
        "- honoured: does what the specification says, in the guest unless it says otherwise\n"
        "- refused: `create` fails with a sentence that names the field, unless its value is empty\n"
        "- no effect: accepted, and noted in the debug log\n\n"
        "A key that the specification does not know is ignored, as it demands, and noted in the debug "
        "log.\n\n"
        "| field | | |\n|---|---|---|\n";
    for (const Field& field : table)
        text += "| `" + std::string(field.path) + "` | " + to_word(field.handling) + " | " + field.reason +
                " |\n";
    return text;
}

} // namespace runvm::oci
