#pragma once
// Small eBPF programs of a cgroup, written by hand: a compiler for them is no part of the build.

#include "core/result.h"

#include <linux/bpf.h>

#include <cstdint>
#include <vector>

namespace runvm::agent {

using BpfProgram = std::vector<bpf_insn>;

/// The fields of an instruction in their order in the kernel's documentation.
bpf_insn bpf_instruction(uint8_t code, uint8_t target, uint8_t source, int16_t offset, int32_t value);

/// Loads the program and attaches it to the cgroup (an open folder), to which it belongs from then on, beside
/// others. `what` names it in errors: "the device program".
Result<void> attach_bpf_program(int cgroup, bpf_prog_type type, bpf_attach_type place,
                                const BpfProgram& program, const char* what);

} // namespace runvm::agent
