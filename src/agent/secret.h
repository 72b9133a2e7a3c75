#pragma once
// The secret of this boot that a vsock connection starts with: any process of the host can connect.

#include <kj/async-io.h>

#include <string>

namespace runvm::agent {

/// 32 bytes in hexadecimal, as on the wire.
constexpr size_t secret_bytes = 64;

/// Is this 64 hexadecimal digits?
bool valid_secret(const std::string& secret);

/// Reads a secret from the stream. False if it is another one, or if the stream ends.
kj::Promise<bool> check_secret(kj::AsyncIoStream& stream, const std::string& secret);

} // namespace runvm::agent
