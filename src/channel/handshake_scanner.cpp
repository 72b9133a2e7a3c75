#include "channel/handshake_scanner.h"

#include <algorithm>
#include <cassert>

namespace runvm::channel {
namespace {

// Not text, and neither a frame's header nor a Cap'n Proto segment table starts with it.
constexpr std::array<uint8_t, 8> magic = {0x9d, 'R', 'U', 'N', 'V', 'M', 0x1a, 0xe5};
// No end of it is a beginning of the magic: a request that lacks a few bytes is never completed by the next
// one.
constexpr std::array<uint8_t, 8> request_end = {0xe5, 0x1a, 'M', 'V', 'N', 'E', 'N', 'D'};
constexpr size_t nonce_offset = magic.size() + 1;
constexpr int any_byte = -1;

} // namespace

std::vector<uint8_t> handshake_answer(PortRole role, const Nonce& nonce) {
    std::vector<uint8_t> message(magic.begin(), magic.end());
    message.push_back(static_cast<uint8_t>(role));
    message.insert(message.end(), nonce.begin(), nonce.end());
    return message;
}

std::vector<uint8_t> handshake_request(PortRole role, const Nonce& nonce) {
    std::vector<uint8_t> message = handshake_answer(role, nonce);
    message.insert(message.end(), request_end.begin(), request_end.end());
    return message;
}

HandshakeScanner::HandshakeScanner(std::vector<int> pattern) : pattern_(std::move(pattern)) {
    matched_.reserve(pattern_.size());
}

HandshakeScanner HandshakeScanner::for_request(PortRole role) {
    auto message = handshake_request(role, {});
    std::vector<int> pattern(message.begin(), message.end());
    std::fill_n(pattern.begin() + nonce_offset, std::tuple_size_v<Nonce>, any_byte);
    return HandshakeScanner(std::move(pattern));
}

HandshakeScanner HandshakeScanner::for_answer(PortRole role, const Nonce& nonce) {
    auto message = handshake_answer(role, nonce);
    return HandshakeScanner({message.begin(), message.end()});
}

bool HandshakeScanner::matched_is_prefix() const {
    for (size_t i = 0; i < matched_.size(); ++i)
        if (pattern_[i] != any_byte && pattern_[i] != matched_[i])
            return false;
    return true;
}

void HandshakeScanner::feed(std::span<const uint8_t> bytes) {
    assert(bytes.size() <= wanted());
    for (uint8_t byte : bytes) {
        matched_.push_back(byte);
        // The message may start inside what looked like one: forget no more than is wrong.
        while (!matched_is_prefix())
            matched_.erase(matched_.begin());
    }
}

Nonce HandshakeScanner::nonce() const {
    assert(wanted() == 0);
    Nonce nonce;
    std::copy_n(matched_.begin() + nonce_offset, nonce.size(), nonce.begin());
    return nonce;
}

} // namespace runvm::channel
