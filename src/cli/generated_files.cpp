#include "cli/generated_files.h"

#include "cli/completion.h"
#include "cli/man_page.h"

namespace runvm::cli {

std::vector<GeneratedFile> generated_files() {
    std::vector<GeneratedFile> files = {
        {"completions/runvm.bash", bash_completion()},
        {"completions/_runvm", zsh_completion()},
        {"completions/runvm.fish", fish_completion()},
        {"man/runvm.8", program_man_page()},
    };
    for (const Command& command : commands()) {
        if (command.available)
            files.push_back({"man/runvm-" + std::string(command.name) + ".8", command_man_page(command)});
    }
    return files;
}

} // namespace runvm::cli
