#pragma once

#include <array>

namespace runvm::test {

/// What callers look for in an error, and take for the command's; src/oci/caller_words.cpp says who does.
inline constexpr std::array matched_words = {"no such file or directory",
                                             "executable file not found in",
                                             "permission denied",
                                             "operation not permitted",
                                             "is a directory",
                                             "not a directory",
                                             "os: process already finished",
                                             "no such process",
                                             "container not running",
                                             "invalid process",
                                             "does not exist"};

} // namespace runvm::test
