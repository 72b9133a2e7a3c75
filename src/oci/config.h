#pragma once
// config.json (runtime-spec 1.3, config.md and config-linux.md): read, checked, and turned into what the
// guest is told and what the host does. Nothing in a bundle is dropped silently: a field that is not honoured
// is refused with a sentence that names it, or is in the table of fields without effect (oci/fields.h).

#include "cgroup/limits.h"
#include "core/result.h"
#include "oci/hooks.h"
#include "os/user_namespace.h"
#include "protocol/common.capnp.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace runvm::oci {

/// A tree of the host that the guest shall see.
struct ShareSource {
    std::string name;        ///< "rootfs", "m0", ...
    std::string path;        ///< absolute on the host
    std::string destination; ///< in the container; empty for the root filesystem
    bool readonly = false;
    bool readonly_recursive = false;
    bool readonly_when_created = false; ///< root.readonly: the agent makes mount points first
    bool recursive = true;              ///< rbind: submounts too
    /// private, rprivate: what the host mounts below the source later is not seen. MS_PRIVATE, with MS_REC.
    uint64_t privacy = 0;
    bool is_file = false;
    os::IdMappings id_mappings{};     ///< of an id-mapped mount: from the source's ids to those of the host
    bool id_mapped_recursive = false; ///< ridmap: submounts too
};

/// A namespace of the container on the host's side: where the shim lives.
struct HostNamespace {
    int clone_flag = 0; ///< CLONE_NEW*
    std::string path;   ///< empty: a new one
};

/// The host's part of a bundle.
struct HostPlan {
    std::string oci_version;
    std::string rootfs; ///< absolute
    std::string hostname;
    std::map<std::string, std::string> annotations;
    std::string cgroups_path;
    cgroup::Limits host_limits; ///< of its resources: what holds on the host, too
    std::string selinux_label;  ///< of the container's process: for what the machine is made of
    std::vector<HostNamespace> namespaces;
    os::IdMappings id_mappings; ///< of the container's user namespace; empty: it has none
    Hooks hooks;
    std::vector<ShareSource> shares; ///< the rootfs first
    bool terminal = false;
    uint16_t console_height = 0;
    uint16_t console_width = 0;
    std::vector<std::string> notes; ///< what is accepted without effect: for the debug log
};

/// Reads the text of a config.json (`name`: what errors call the file), checks it against the specification,
/// fills `container` for the agent and returns the host's part. `bundle` is absolute: relative paths are
/// below it. Sources of bind mounts and the rootfs are looked at on the host. `sysctl` keys are files below
/// /proc/sys
/// ("net/ipv4/ip_forward"); `resources.deviceRules` start from "everything is denied", a later one counts
/// more.
Result<HostPlan> plan_container(const std::string& text, const std::string& name, const std::string& bundle,
                                protocol::Container::Builder container);

/// A process of its own (`exec --process`), in config.json's shape for "process". What it leaves out comes
/// from the container's saved config.json, as in runc: capabilities, umask, priorities, cpu affinity; always
/// the seccomp profile.
Result<void> plan_process(const std::string& text, const std::string& name,
                          const std::string& container_config, protocol::Process::Builder process,
                          HostPlan& plan);

/// What `exec` may say on its command line.
struct ExecOverrides {
    std::vector<std::string> args{};
    std::vector<std::string> env{};          ///< added to the container's
    std::string cwd{};                       ///< empty: the container's
    std::string user{};                      ///< "USER[:GROUP]", names or numbers; empty: the container's
    std::vector<uint32_t> additional_gids{}; ///< added to the container's
    std::vector<std::string> capabilities{}; ///< added to all sets but inheritable
    bool tty = false;
    std::optional<bool> no_new_privileges{}; ///< empty: the container's
};

/// A process like the container's own one, with changes (`exec ID command`).
Result<void> plan_exec(const std::string& container_config, const ExecOverrides& overrides,
                       protocol::Process::Builder process, HostPlan& plan);

} // namespace runvm::oci
