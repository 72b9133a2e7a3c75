#pragma once
// config.json (runtime-spec 1.3, config.md and config-linux.md): read, checked, and turned into what the guest is
// told and what the host does. Nothing in a bundle is dropped silently: a field that is not honoured is refused with
// a sentence that names it, or is in the table of fields without effect (oci/fields.h).

#include "core/result.h"
#include "protocol/common.capnp.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace runvm::oci {

/// A tree of the host that the guest shall see.
struct ShareSource {
    std::string name;           ///< "rootfs", "m0", ...
    std::string path;           ///< absolute on the host
    bool readonly = false;
    bool readonly_recursive = false;
    bool readonly_when_created = false; ///< root.readonly: the agent makes mount points first
    bool recursive = true;      ///< rbind: submounts too
    bool is_file = false;
};

/// A namespace of the container on the host's side: where the shim lives.
struct HostNamespace {
    int clone_flag = 0;         ///< CLONE_NEW*
    std::string path;           ///< empty: a new one
};

/// The host's part of a bundle.
struct HostPlan {
    std::string oci_version;
    std::string rootfs;         ///< absolute
    std::string hostname;
    std::map<std::string, std::string> annotations;
    std::string cgroups_path;
    std::vector<HostNamespace> namespaces;
    std::vector<ShareSource> shares;    ///< the rootfs first
    bool terminal = false;
    uint16_t console_height = 0;
    uint16_t console_width = 0;
    uint64_t memory_limit_bytes = 0;    ///< 0: none
    std::vector<std::string> notes;     ///< what is accepted without effect: for the debug log
};

/// Reads the text of a config.json (`name`: what errors call the file), checks it against the specification, fills
/// `container` for the agent and returns the host's part. `bundle` is absolute: relative paths are below it.
Result<HostPlan> plan_container(const std::string& text, const std::string& name, const std::string& bundle,
                                protocol::Container::Builder container);

/// A process of its own (`exec --process`), in config.json's shape for "process".
Result<void> plan_process(const std::string& text, const std::string& name, protocol::Process::Builder process,
                          HostPlan& plan);

} // namespace runvm::oci
