#include "vm/network/links.h"

#include "os/file.h"

#include <sstream>

namespace runvm::vm {

std::vector<std::string> parse_links(const std::string& net_dev) {
    std::vector<std::string> names;
    std::istringstream lines(net_dev);
    for (std::string line; std::getline(lines, line);) {
        size_t begin = line.find_first_not_of(' ');
        size_t colon = line.find(':');
        if (begin == std::string::npos || colon == std::string::npos) // the two lines of headings
            continue;
        std::string name = line.substr(begin, colon - begin);
        if (name != "lo")
            names.push_back(name);
    }
    return names;
}

Result<std::vector<std::string>> links_of_process(pid_t pid) {
    RUNVM_ASSIGN(std::string text, os::read_file("/proc/" + std::to_string(pid) + "/net/dev"));
    return parse_links(text);
}

} // namespace runvm::vm
