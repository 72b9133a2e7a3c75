#pragma once
// The tables of `ps`, in the shapes of procps: its own options, which a caller passes on.

#include "core/result.h"
#include "protocol/common.capnp.h"

#include <capnp/list.h>

#include <cstdint>
#include <string>
#include <vector>

namespace runvm::oci {

struct GuestProcesses {
    capnp::List<protocol::ProcessInfo>::Reader list;
    uint64_t memory_bytes = 0; ///< of the guest, for %MEM
    int64_t now_ns = 0;        ///< since the epoch
};

/// `options`: what stands after the container's id: nothing, -ef, aux, -o LIST, and their other spellings.
/// invalid_argument for any other, with those that are allowed.
Result<std::string> process_table(const GuestProcesses& processes, const std::vector<std::string>& options);

/// The names that -o takes, separated by commas.
std::string process_columns();

} // namespace runvm::oci
