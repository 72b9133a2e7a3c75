#pragma once
// Finds a handshake message among the bytes of a dead session, without IO.

#include "channel/handshake.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace runvm::channel {

class HandshakeScanner {
public:
    /// Looks for a request for this port with any nonce (the guest's side).
    static HandshakeScanner for_request(PortRole role);
    /// Looks for the answer to one's own request (the host's side).
    static HandshakeScanner for_answer(PortRole role, const Nonce& nonce);

    /// How many more bytes the message has at least, 0 once it is found. To read so many is never too much.
    size_t wanted() const { return pattern_.size() - matched_.size(); }
    /// Takes at most wanted() bytes.
    void feed(std::span<const uint8_t> bytes);
    /// Of the message found.
    Nonce nonce() const;

private:
    explicit HandshakeScanner(std::vector<int> pattern);
    bool matched_is_prefix() const;

    std::vector<int> pattern_;     // a byte, or any_byte
    std::vector<uint8_t> matched_; // the last bytes seen: the longest that the pattern may start with
};

std::vector<uint8_t> handshake_request(PortRole role, const Nonce& nonce);
std::vector<uint8_t> handshake_answer(PortRole role, const Nonce& nonce);

} // namespace runvm::channel
