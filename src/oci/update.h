#pragma once
// `update`: new limits for a container, by runc's rules of what replaces what (its update.go).

#include "cgroup/limits.h"
#include "core/result.h"
#include "protocol/common.capnp.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace runvm::oci {

/// The value of a flag of `update` by its name without dashes; nothing if it was not given.
using UpdateFlag = std::function<std::optional<std::string>(const char* name)>;

/// The JSON that --resources would hold in place of these flags. An error names the flag, in runc's words.
Result<std::string> resources_of_flags(const UpdateFlag& flag);

struct Update {
    cgroup::Limits host_limits;     ///< what of the limits holds on the host, too
    std::string config;             ///< the container's config.json from now on
    std::vector<std::string> notes; ///< what is accepted without effect
};

/// `text` is what --resources holds (`name`: what errors call it): the shape of config.json's
/// linux.resources. `resources` gets the files to write in the guest, and the demand.
Result<Update> plan_update(const std::string& container_config, const std::string& text,
                           const std::string& name, protocol::Resources::Builder resources);

} // namespace runvm::oci
