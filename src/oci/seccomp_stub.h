#pragma once
// The ENOSYS stub in front of a seccomp program: see seccomp.h.

#include <linux/filter.h>

#include <cstdint>
#include <map>
#include <vector>

namespace runvm::oci {

/// The highest system call number that a profile names, by libseccomp's SCMP_ARCH_*.
using LastSystemCalls = std::map<uint32_t, uint32_t>;

/// Instructions that return ENOSYS for a number above the last one of its architecture, and fall through to
/// whatever is behind them for all others.
std::vector<sock_filter> enosys_stub(const LastSystemCalls& last);

} // namespace runvm::oci
