#pragma once
// Mounts of the host below a folder.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace runvm::oci {

struct Submount {
    uint64_t id = 0;  ///< of statx(2) and mountinfo
    std::string path; ///< relative to the folder
};

/// Of the text of /proc/self/mountinfo (proc(5)), in its order.
std::vector<Submount> parse_submounts(std::string_view mountinfo, const std::string& folder);

/// The folders below `folder` that are mount points and can be reached: not those that another mount hides.
std::vector<std::string> find_submounts(const std::string& folder);

} // namespace runvm::oci
