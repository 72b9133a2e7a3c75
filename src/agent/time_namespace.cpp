#include "agent/time_namespace.h"

#include "os/file.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>

namespace runvm::agent {

std::string time_offset_line(const char* clock, int64_t offset_ns) {
    constexpr int64_t ns_per_second = 1'000'000'000;
    int64_t seconds = offset_ns / ns_per_second;
    int64_t rest_ns = offset_ns % ns_per_second;
    if (rest_ns < 0) {
        --seconds;
        rest_ns += ns_per_second;
    }
    return std::string(clock) + " " + std::to_string(seconds) + " " + std::to_string(rest_ns) + "\n";
}

Result<void> make_time_namespace_for_children(int64_t monotonic_ns, int64_t boottime_ns) {
    if (::unshare(CLONE_NEWTIME) != 0)
        return system_error("make a time namespace");
    return os::write_into("/proc/self/timens_offsets", time_offset_line("monotonic", monotonic_ns) +
                                                           time_offset_line("boottime", boottime_ns))
        .context("set linux.timeOffsets");
}

} // namespace runvm::agent
