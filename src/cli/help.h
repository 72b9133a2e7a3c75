#pragma once
// --help, laid out as runc's.

#include "cli/flags.h"

#include <string>

namespace runvm::cli {

/// `version` is the text below VERSION, without its last newline.
std::string program_help(std::string_view version);
std::string command_help(const Command& command);

} // namespace runvm::cli
