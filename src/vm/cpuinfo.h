#pragma once
// The host's cpu, as /proc/cpuinfo and its time stamp counter tell it.

#include <cstdint>
#include <string>
#include <string_view>

namespace runvm::vm {

/// The first cpu's part of /proc/cpuinfo, at most 16 KiB: all of it costs milliseconds on hosts of many cpus.
std::string read_cpuinfo();

/// Whether the first cpu of a /proc/cpuinfo has the flag.
bool cpuinfo_has_flag(std::string_view cpuinfo, std::string_view flag);

/// The time stamp counter's frequency, measured to a ten-thousandth, or 0 if it has no constant one. Waits
/// until the process is 10 ms old.
uint32_t measure_tsc_khz();

} // namespace runvm::vm
