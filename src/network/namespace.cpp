#include "network/namespace.h"

#include <sched.h>
#include <sys/stat.h>

#include <optional>
#include <thread>

namespace runvm::network {

Result<NamespaceId> namespace_id(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0)
        return system_error("stat " + path);
    return NamespaceId{info.st_dev, info.st_ino};
}

Result<void> Namespace::run(const std::function<Result<void>()>& task) const {
    Result<void> outcome;
    std::thread inside([&] {
        if (::setns(fd_.get(), CLONE_NEWNET) != 0)
            outcome = system_error("enter the container's network namespace");
        else
            outcome = task();
    });
    inside.join();
    return outcome;
}

} // namespace runvm::network
