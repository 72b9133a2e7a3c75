#include "oci/id_mappings.h"

#include <cstdint>

namespace runvm::oci {

namespace {

constexpr uint64_t max_id = UINT32_MAX - 1; // the last one means "no id" (chown(2))

/// Do `size` ids from `a` on, and `other_size` from `b` on, have one in common?
bool overlap(uint64_t a, uint64_t size, uint64_t b, uint64_t other_size) {
    return a < b + other_size && b < a + size;
}

void check_range(const Value& mapping, uint64_t first, uint64_t size, const char* key) {
    if (first + size - 1 > max_id)
        mapping.fail(std::string(key) + " " + std::to_string(first) + " with size " + std::to_string(size) +
                     " goes beyond the last id, " + std::to_string(max_id));
}

os::IdMapping read_id_mapping(const Value& value) {
    uint64_t container_id = value["containerID"].natural(max_id);
    uint64_t host_id = value["hostID"].natural(max_id);
    uint64_t size = value["size"].natural(UINT32_MAX);
    if (size == 0) {
        value["size"].fail("found 0; at least one id is mapped");
    } else {
        check_range(value, container_id, size, "containerID");
        check_range(value, host_id, size, "hostID");
    }
    return {static_cast<uint32_t>(container_id), static_cast<uint32_t>(host_id), static_cast<uint32_t>(size)};
}

void check_root_id(const Value& value, const std::vector<os::IdMapping>& mappings, const char* kind) {
    if (mappings.empty())
        value.fail(std::string("user namespaces enabled, but no ") + kind + " mappings found");
    else if (!os::to_host_id(mappings, 0))
        value.fail(std::string("user namespaces enabled, but no mapping found for ") + kind + " 0");
}

} // namespace

std::vector<os::IdMapping> read_id_mappings(const Value& mappings) {
    std::vector<os::IdMapping> read;
    std::vector<Value> elements = mappings.elements();
    if (elements.size() > os::max_id_mappings) {
        mappings.fail("found " + std::to_string(elements.size()) + " mappings; the kernel takes at most " +
                      std::to_string(os::max_id_mappings));
        return read;
    }
    for (const Value& element : elements) {
        os::IdMapping mapping = read_id_mapping(element);
        for (size_t i = 0; i < read.size(); ++i)
            if (overlap(mapping.container_id, mapping.size, read[i].container_id, read[i].size) ||
                overlap(mapping.host_id, mapping.size, read[i].host_id, read[i].size))
                element.fail("overlaps mapping " + std::to_string(i) +
                             "; each id can be mapped once, in the container and on the host");
        read.push_back(mapping);
    }
    if (size_t bytes = os::id_map_text(read).size(); bytes > os::max_id_map_bytes)
        mappings.fail("the mappings take " + std::to_string(bytes) +
                      " characters; the kernel takes at most " + std::to_string(os::max_id_map_bytes));
    return read;
}

// The words are runc's (libcontainer/configs/config_linux.go and its validator).
void check_user_namespace(const Value& linux, bool has_user_namespace, const os::IdMappings& mappings) {
    if (has_user_namespace) {
        check_root_id(linux["uidMappings"], mappings.uids, "uid");
        check_root_id(linux["gidMappings"], mappings.gids, "gid");
    } else if (!mappings.empty()) {
        linux[mappings.uids.empty() ? "gidMappings" : "uidMappings"].fail(
            "user namespace mappings specified, but user namespace isn't enabled in the config");
    }
}

void fill_id_mappings(const std::vector<os::IdMapping>& mappings,
                      capnp::List<protocol::IdMapping>::Builder list) {
    for (unsigned i = 0; i < list.size(); ++i) {
        list[i].setContainerId(mappings[i].container_id);
        list[i].setHostId(mappings[i].host_id);
        list[i].setSize(mappings[i].size);
    }
}

} // namespace runvm::oci
