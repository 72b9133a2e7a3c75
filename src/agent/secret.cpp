#include "agent/secret.h"

#include <array>

namespace runvm::agent {

bool valid_secret(const std::string& secret) {
    return secret.size() == secret_bytes && secret.find_first_not_of("0123456789abcdef") == std::string::npos;
}

kj::Promise<bool> check_secret(kj::AsyncIoStream& stream, const std::string& secret) {
    auto given = kj::heap<std::array<unsigned char, secret_bytes>>();
    auto read = stream.tryRead(given->data(), secret_bytes, secret_bytes);
    return read.then([given = kj::mv(given), &secret](size_t length) {
        if (length != secret_bytes || secret.size() != secret_bytes)
            return false;
        // Every byte is compared, so that the time tells nothing.
        unsigned difference = 0;
        for (size_t i = 0; i < secret_bytes; ++i)
            difference |= (*given)[i] ^ static_cast<unsigned char>(secret[i]);
        return difference == 0;
    });
}

} // namespace runvm::agent
