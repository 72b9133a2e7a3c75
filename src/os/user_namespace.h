#pragma once
// User namespaces and the mappings of their ids: user_namespaces(7).

#include "core/result.h"
#include "os/fd.h"

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace runvm::os {

/// `size` ids from `container_id` on in the namespace are those from `host_id` on outside of it.
struct IdMapping {
    uint32_t container_id = 0;
    uint32_t host_id = 0;
    uint32_t size = 0;

    bool operator==(const IdMapping&) const = default;
};

struct IdMappings {
    std::vector<IdMapping> uids;
    std::vector<IdMapping> gids;

    bool empty() const { return uids.empty() && gids.empty(); }
};

/// What the kernel takes (kernel/user_namespace.c): UID_GID_MAP_MAX_EXTENTS, and one write of less than a
/// page.
inline constexpr size_t max_id_mappings = 340;
inline constexpr size_t max_id_map_bytes = 4095;

/// The lines of a uid_map or gid_map file.
std::string id_map_text(const std::vector<IdMapping>& mappings);

/// What an id of the namespace is outside; nothing if it is not mapped.
std::optional<uint32_t> to_host_id(const std::vector<IdMapping>& mappings, uint32_t container_id);

/// Gives its mappings to the new user namespace of process `pid`; once.
Result<void> write_id_mappings(pid_t pid, const IdMappings& mappings);

/// A new user namespace that no process is in.
Result<Fd> make_user_namespace(const IdMappings& mappings);

} // namespace runvm::os
