#pragma once
// The device rules of a cgroup v2: there is no file for them but an eBPF program that the kernel asks.

#include "core/result.h"
#include "protocol/common.capnp.h"

#include <linux/bpf.h>

#include <cstdint>
#include <vector>

namespace runvm::agent {

struct DeviceAccessRule {
    bool allow = false;
    char type = 'a';    ///< 'a', 'b' or 'c'
    int64_t major = -1; ///< -1: any
    int64_t minor = -1;
    uint32_t access = 0; ///< of BPF_DEVCG_ACC_MKNOD, _READ, _WRITE; never 0
};

Result<DeviceAccessRule> device_rule(protocol::DeviceRule::Reader rule);

/// The program for a list of rules: of the rules that match a device the last one decides, for each kind of
/// access by itself (open for reading and writing asks for two at once). What no rule matches is denied.
std::vector<bpf_insn> device_program(const std::vector<DeviceAccessRule>& rules);

/// Loads the program and attaches it to the cgroup (an open folder), to which it belongs from then on.
Result<void> attach_device_program(int cgroup, const std::vector<bpf_insn>& program);

} // namespace runvm::agent
