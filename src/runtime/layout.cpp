#include "os/file.h"
#include "runtime/commands.h"

namespace runvm::runtime {

namespace {

std::string parent(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

} // namespace

// The build tree and an installed prefix look alike from bin/: see cmake/layout.cmake.
Layout find_layout() {
    auto program = os::real_path("/proc/self/exe");
    std::string prefix = program ? parent(parent(*program)) : "/usr";
    std::string etc = prefix == "/usr" ? "/etc/runvm" : prefix + "/etc/runvm";
    return {prefix + "/libexec/runvm", prefix + "/share/runvm", etc};
}

} // namespace runvm::runtime
