#pragma once
// Messages of the name service over a stream: each has its length in two bytes before it (RFC 1035, 4.2.2).

#include <kj/async-io.h>

#include <cstddef>
#include <string>

namespace runvm::channel {

inline constexpr size_t largest_name_message = 65535;

/// Empty at the stream's end, also in the middle of a message, and for one of no length, which nobody sends.
kj::Promise<std::string> read_name_message(kj::AsyncInputStream& stream);

/// `message`: of largest_name_message bytes at most.
kj::Promise<void> write_name_message(kj::AsyncOutputStream& stream, std::string message);

} // namespace runvm::channel
