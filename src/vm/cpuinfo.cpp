#include "vm/cpuinfo.h"

#include "os/file.h"

#include <fcntl.h>
#include <unistd.h>
#include <x86intrin.h>

#include <cmath>
#include <ctime>

namespace runvm::vm {
namespace {

constexpr int64_t shortest_measurement_ns = 10'000'000;

/// Counter and clock at one moment.
struct Moment {
    uint64_t ticks = 0;
    int64_t time_ns = 0;
};

int64_t clock_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

/// Of several tries the one that was interrupted least.
Moment take_moment() {
    constexpr int tries = 16;
    Moment best;
    uint64_t shortest = UINT64_MAX;
    for (int i = 0; i < tries; ++i) {
        uint64_t before = __rdtsc();
        int64_t time_ns = clock_ns();
        uint64_t duration = __rdtsc() - before;
        if (duration >= shortest)
            continue;
        shortest = duration;
        best = {before + duration / 2, time_ns};
    }
    return best;
}

// Taken as early as it can be, so that nobody has to wait between the two.
const Moment process_start = take_moment();

} // namespace

std::string read_cpuinfo() {
    auto file = os::open_file("/proc/cpuinfo", O_RDONLY);
    if (!file)
        return {};
    std::string text(16384, '\0');
    ssize_t size = ::read(file->get(), text.data(), text.size());
    text.resize(size < 0 ? 0 : static_cast<size_t>(size));
    return text;
}

bool cpuinfo_has_flag(std::string_view cpuinfo, std::string_view flag) {
    size_t flags = cpuinfo.find("\nflags");
    if (flags == std::string_view::npos)
        return false;
    std::string_view line = cpuinfo.substr(flags + 1);
    line = line.substr(0, line.find('\n'));
    size_t colon = line.find(':');
    if (colon == std::string_view::npos)
        return false;
    std::string words = " " + std::string(line.substr(colon + 1)) + " ";
    return words.find(" " + std::string(flag) + " ") != std::string::npos;
}

uint32_t measure_tsc_khz() {
    std::string cpuinfo = read_cpuinfo();
    if (!cpuinfo_has_flag(cpuinfo, "constant_tsc") || !cpuinfo_has_flag(cpuinfo, "nonstop_tsc"))
        return 0;
    int64_t missing_ns = shortest_measurement_ns - (clock_ns() - process_start.time_ns);
    if (missing_ns > 0)
        ::usleep(static_cast<useconds_t>(missing_ns / 1000 + 1));
    Moment now = take_moment();
    double ticks = static_cast<double>(now.ticks - process_start.ticks);
    double khz = ticks * 1e6 / static_cast<double>(now.time_ns - process_start.time_ns);
    return static_cast<uint32_t>(std::lround(khz));
}

} // namespace runvm::vm
