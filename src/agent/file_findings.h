#pragma once
// What a helper process has found out about watches, on its way to the agent as bytes.

#include "agent/watched_files.h"

#include <cstdint>
#include <string>
#include <vector>

namespace runvm::agent {

struct FileFindings {
    std::vector<WatchedFile> watched;
    std::vector<uint32_t> unwatched; ///< ids
};

std::string encode(const FileFindings& findings);
/// What is whole: a helper may have been killed on its way.
FileFindings decode(const std::string& bytes);

} // namespace runvm::agent
