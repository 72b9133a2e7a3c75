#pragma once
// Man pages in roff (man(7)), from the flag table.

#include "cli/flags.h"

#include <string>

namespace runvm::cli {

/// runvm(8).
std::string program_man_page();
/// runvm-<command>(8).
std::string command_man_page(const Command& command);

} // namespace runvm::cli
