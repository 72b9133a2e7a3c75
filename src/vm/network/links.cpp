#include "vm/network/links.h"

#include "os/file.h"

#include <algorithm>
#include <array>
#include <sstream>
#include <string_view>

namespace runvm::vm {

namespace {

// What the kernel's tunnel modules put into every new namespace (net/core/sysctl_net_core.c,
// fb_tunnels_only_for_init_net): they carry nothing.
constexpr std::array<std::string_view, 10> not_links = {
    "lo", "tunl0", "sit0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6tnl0", "ip6gre0"};

} // namespace

std::vector<std::string> parse_links(const std::string& net_dev) {
    std::vector<std::string> names;
    std::istringstream lines(net_dev);
    for (std::string line; std::getline(lines, line);) {
        size_t begin = line.find_first_not_of(' ');
        size_t colon = line.find(':');
        if (begin == std::string::npos || colon == std::string::npos) // the two lines of headings
            continue;
        std::string name = line.substr(begin, colon - begin);
        if (std::find(not_links.begin(), not_links.end(), name) == not_links.end())
            names.push_back(name);
    }
    return names;
}

Result<std::vector<std::string>> links_of_process(pid_t pid) {
    RUNVM_ASSIGN(std::string text, os::read_file("/proc/" + std::to_string(pid) + "/net/dev"));
    return parse_links(text);
}

} // namespace runvm::vm
