#pragma once
// Mount options by name: config.md, "Linux mount options", which is also runc's table.

#include <cstdint>
#include <string>
#include <vector>

namespace runvm::oci {

struct MountOptions {
    uint64_t flags = 0;         ///< MS_* to set
    uint64_t cleared_flags = 0; ///< MS_* to clear
    uint64_t propagation = 0;   ///< MS_SHARED and its kin, with MS_REC; 0: none asked for
    uint64_t recursive_set = 0; ///< MOUNT_ATTR_* for AT_RECURSIVE
    uint64_t recursive_cleared = 0;
    std::string data;                 ///< the file system's own options, joined by commas
    bool copy_up = false;             ///< tmpcopyup
    bool id_mapped = false;           ///< idmap, ridmap
    bool id_mapped_recursive = false; ///< ridmap

    bool is_bind() const;
    bool is_recursive_bind() const;
    bool is_readonly() const;
    bool is_readonly_recursive() const;
    bool is_remount() const;
};

/// Of two options that contradict each other the later one counts. An unknown one is the file system's.
MountOptions parse_mount_options(const std::vector<std::string>& options);

/// MS_* of "rslave" and its kin; 0 if it is none.
uint64_t parse_propagation(const std::string& name);

/// All names that are honoured, sorted: for `features`.
std::vector<std::string> known_mount_options();

} // namespace runvm::oci
