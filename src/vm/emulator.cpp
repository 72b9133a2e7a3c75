#include "vm/emulator.h"

#include "os/file.h"

#include <algorithm>
#include <cstdlib>

namespace runvm::vm {

namespace {

constexpr const char* program = "qemu-system-x86_64";

} // namespace

Result<std::string> find_emulator(const std::string& configured) {
    if (!configured.empty()) {
        if (os::is_executable_file(configured))
            return configured;
        return Error(ErrorKind::not_found, "QEMU cannot be executed at " + configured +
                                               "; correct hypervisor.emulator in config.toml");
    }
    const char* path = std::getenv("PATH");
    std::string folders = path == nullptr ? "" : path;
    folders += ":/usr/bin:/usr/libexec:/usr/local/bin";
    for (size_t begin = 0; begin < folders.size();) {
        size_t end = std::min(folders.find(':', begin), folders.size());
        std::string candidate = folders.substr(begin, end - begin) + "/" + program;
        if (candidate.starts_with('/') && os::is_executable_file(candidate))
            return candidate;
        begin = end + 1;
    }
    return Error(ErrorKind::not_found,
                 std::string(program) + " is missing from PATH; install it: apt install qemu-system-x86");
}

} // namespace runvm::vm
