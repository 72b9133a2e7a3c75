#pragma once
// The guest's console: what it said last, for errors. QEMU connects to a socket of ours (qemu_socket.h),
// because its own file back end grows without bound.

#include "core/result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace runvm::vm {

/// Keeps the last 64 KiB of what the guest wrote. The guest is hostile: the bytes are taken as they come, and
/// cleaned when they are asked for.
class ConsoleRing {
public:
    static constexpr size_t capacity_bytes = 64 * 1024;

    void append(std::string_view data);
    /// The last `max_lines` lines that have something on them, printable ASCII and UTF-8 only, without escape
    /// sequences, each at most 200 bytes, each ended by a newline.
    std::string tail(size_t max_lines) const;
    size_t size() const { return data_.size(); }

private:
    std::string ordered() const;

    std::string data_; ///< grows to the capacity, then is written round and round
    size_t oldest_ = 0;
};

/// Reads what is there from a non-blocking descriptor. False once the other side has closed.
Result<bool> read_console(int fd, ConsoleRing& ring);

} // namespace runvm::vm
