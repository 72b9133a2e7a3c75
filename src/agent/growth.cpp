#include "agent/growth.h"

#include "agent/boot.h"
#include "os/file.h"
#include "os/memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <string_view>

namespace runvm::agent {

namespace {

constexpr const char* cpus_folder = "/sys/devices/system/cpu";
constexpr const char* auto_online_path = "/sys/devices/system/memory/auto_online_blocks";
constexpr auto look_interval = 10 * kj::MILLISECONDS;

uint32_t cpus() {
    return static_cast<uint32_t>(::sysconf(_SC_NPROCESSORS_ONLN));
}

bool is_offline(const std::string& cpu) {
    auto state = os::read_file(cpu + "/online", 16);
    return state && state->starts_with('0'); // the first cpu may have no such file
}

/// A cpu is there some time after it was plugged, and is not used before somebody says so; an emulated one is
/// there from the start (domain_xml.cpp, vcpus).
Result<void> bring_cpus_online(uint32_t wanted) {
    std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(cpus_folder), ::closedir);
    if (!folder)
        return system_error(std::string("list ") + cpus_folder);
    uint32_t online = cpus();
    const dirent* entry = nullptr;
    while (online < wanted && (entry = ::readdir(folder.get())) != nullptr) {
        std::string_view name = entry->d_name;
        bool is_cpu = name.starts_with("cpu") && name.size() > 3 &&
                      name.find_first_not_of("0123456789", 3) == std::string_view::npos;
        std::string cpu = std::string(cpus_folder) + "/" + entry->d_name;
        if (is_cpu && is_offline(cpu)) {
            RUNVM_TRY(os::write_into(cpu + "/online", "1"));
            ++online;
        }
    }
    return {};
}

} // namespace

Growth::Growth(kj::Timer& timer, int initial_root, std::function<void()> more_cpus)
    : timer_(timer), initial_root_(initial_root), more_cpus_(std::move(more_cpus)), cpus_(cpus()),
      memory_bytes_at_boot_(os::memory_bytes()) {}

kj::Promise<Result<void>> Growth::grow(uint32_t vcpus, uint64_t memory_mib, uint32_t limit_ms) {
    constexpr uint64_t mib = 1024 * 1024;
    if (memory_mib > 0) {
        // Not to a zone of its own that the kernel may not use: the records of what comes next must fit in.
        Result<void> ready = os::write_into(auto_online_path, "online_kernel");
        if (ready)
            ready = load_module_on_demand(initial_root_, "virtio_mem");
        if (!ready)
            return std::move(ready).context("take memory into use");
    }
    return until({vcpus, memory_bytes_at_boot_ + memory_mib * mib},
                 timer_.now() + limit_ms * kj::MILLISECONDS);
}

kj::Promise<Result<void>> Growth::until(Wanted wanted, kj::TimePoint deadline) {
    Result<void> online =
        bring_cpus_online(wanted.vcpus); // a busy host's cpu may be too slow, and come the next time
    if (cpus() > cpus_) {
        cpus_ = cpus();
        more_cpus_();
    }
    if (cpus() >= wanted.vcpus && os::memory_bytes() >= wanted.memory_bytes)
        return Result<void>();
    if (timer_.now() >= deadline)
        return Result<void>(Error(ErrorKind::timeout, "the guest has got " + std::to_string(cpus()) + " of " +
                                                          std::to_string(wanted.vcpus) + " cpus and " +
                                                          std::to_string(os::memory_bytes()) + " of " +
                                                          std::to_string(wanted.memory_bytes) +
                                                          " bytes of memory" +
                                                          (online ? "" : "; " + online.error().to_string())));
    return timer_.afterDelay(look_interval).then([this, wanted, deadline] {
        return until(wanted, deadline);
    });
}

} // namespace runvm::agent
