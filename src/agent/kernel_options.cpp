#include "agent/kernel_options.h"

#include <string_view>

namespace runvm::agent {

KernelOptions parse_kernel_options(const std::string& command_line) {
    constexpr std::string_view prefix = "runvm.";
    KernelOptions options;
    std::string_view rest = command_line;
    while (!rest.empty()) {
        size_t end = rest.find_first_of(" \n");
        std::string_view word = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        size_t equals = word.find('=');
        if (word.substr(0, prefix.size()) != prefix || equals == std::string_view::npos)
            continue;
        options[std::string(word.substr(prefix.size(), equals - prefix.size()))] = word.substr(equals + 1);
    }
    return options;
}

} // namespace runvm::agent
