#pragma once
// The files of the repository that are made from the flag table.

#include <string>
#include <vector>

namespace runvm::cli {

struct GeneratedFile {
    std::string path; ///< relative to the repository's top
    std::string contents;
};

std::vector<GeneratedFile> generated_files();

} // namespace runvm::cli
