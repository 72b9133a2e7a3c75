#pragma once
// What is executed for args[0]: the rules, and the words, of Go's exec.LookPath, which runc uses.

#include "core/result.h"

#include <string>

namespace runvm::agent {

/// Finds `name` in the folders of `path` (the process's own PATH) unless it has a slash. Has to be called
/// with the root, working directory and user of the process. command_not_found with ENOENT or ENOTDIR, or
/// with 0 if no folder has it; command_not_executable with EACCES, which is also a folder's.
Result<std::string> find_executable(const std::string& name, const std::string& path);

/// What an execve that failed is called. ENOENT is the interpreter's: the file itself was found before.
std::string execve_words(const std::string& executable, int errno_value);

} // namespace runvm::agent
