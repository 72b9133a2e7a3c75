#pragma once
// Shell completions from the flag table.

#include <string>

namespace runvm::cli {

std::string bash_completion();
std::string zsh_completion();
std::string fish_completion();

} // namespace runvm::cli
