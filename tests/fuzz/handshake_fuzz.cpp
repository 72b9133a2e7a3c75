// libs: runvm_channel
// Any bytes in any pieces: the scanner finds the same message as a search in the whole, and takes no byte
// more.

#include "channel/handshake_scanner.h"

#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace runvm::channel;

namespace {

void require(bool condition) {
    if (!condition)
        abort();
}

constexpr size_t nonce_at = 9; // in a message
constexpr size_t none = SIZE_MAX;

/// The start of the first message in `bytes`. What is from `free_from` to `free_to` in it may be anything.
size_t find_message(const std::vector<uint8_t>& bytes, const std::vector<uint8_t>& message, size_t free_from,
                    size_t free_to) {
    for (size_t at = 0; at + message.size() <= bytes.size(); ++at) {
        bool same = true;
        for (size_t i = 0; i < message.size() && same; ++i)
            same = (i >= free_from && i < free_to) || bytes[at + i] == message[i];
        if (same)
            return at;
    }
    return none;
}

/// The scanner must find the message that starts at `start`.
void check(HandshakeScanner scanner, const std::vector<uint8_t>& bytes, size_t start,
           FuzzedDataProvider& choices) {
    size_t message_bytes = scanner.wanted();
    size_t taken = 0;
    while (scanner.wanted() > 0 && taken < bytes.size()) {
        size_t most = std::min(scanner.wanted(), bytes.size() - taken);
        size_t piece = choices.ConsumeIntegralInRange<size_t>(1, most);
        scanner.feed(std::span(bytes).subspan(taken, piece));
        taken += piece;
    }
    require((scanner.wanted() == 0) == (start != none));
    if (start == none)
        return;
    require(taken == start + message_bytes);
    Nonce nonce = scanner.nonce();
    require(std::memcmp(nonce.data(), bytes.data() + start + nonce_at, nonce.size()) == 0);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FuzzedDataProvider choices(data, size);
    Nonce nonce{};
    if (choices.ConsumeBool())
        choices.ConsumeData(nonce.data(), nonce.size());
    auto request = handshake_request(PortRole::streams, nonce);
    auto answer = handshake_answer(PortRole::streams, nonce);

    // Pieces of true messages between any bytes: chance alone never writes the magic.
    std::vector<uint8_t> bytes;
    for (int i = 0; i < 8 && choices.remaining_bytes() > 8; ++i) {
        const auto& message = choices.ConsumeBool() ? request : answer;
        size_t length = choices.ConsumeIntegralInRange<size_t>(0, message.size());
        bytes.insert(bytes.end(), message.begin(), message.begin() + static_cast<ptrdiff_t>(length));
        auto garbage = choices.ConsumeBytes<uint8_t>(choices.ConsumeIntegralInRange<size_t>(0, 40));
        bytes.insert(bytes.end(), garbage.begin(), garbage.end());
    }
    check(HandshakeScanner::for_request(PortRole::streams), bytes,
          find_message(bytes, request, nonce_at, nonce_at + nonce.size()), choices);
    check(HandshakeScanner::for_answer(PortRole::streams, nonce), bytes, find_message(bytes, answer, 0, 0),
          choices);
    return 0;
}
