#include "channel/handshake.h"

#include "channel/handshake_scanner.h"

#include <kj/debug.h>

namespace runvm::channel {
namespace {

struct Exchange {
    kj::AsyncIoStream& port;
    HandshakeScanner scanner;
    std::vector<uint8_t> out;
    std::array<uint8_t, 64> in{};

    kj::Promise<void> send() { return port.write(out.data(), out.size()); }

    kj::Promise<void> scan() {
        size_t wanted = scanner.wanted();
        if (wanted == 0)
            return kj::READY_NOW;
        return port.tryRead(in.data(), wanted, wanted).then([this, wanted](size_t n) -> kj::Promise<void> {
            if (n < wanted)
                return KJ_EXCEPTION(DISCONNECTED,
                                    "the port was closed by its other side during the handshake");
            scanner.feed({in.data(), n});
            return scan();
        });
    }
};

} // namespace

kj::Promise<void> handshake_host(kj::AsyncIoStream& port, PortRole role, const Nonce& nonce) {
    auto exchange = kj::heap<Exchange>(
        Exchange{port, HandshakeScanner::for_answer(role, nonce), handshake_request(role, nonce)});
    // A port's buffers may be full of a dead session in both directions, so read while the request is
    // written.
    Exchange& running = *exchange;
    auto both = kj::heapArrayBuilder<kj::Promise<void>>(2);
    both.add(running.send());
    both.add(running.scan());
    return kj::joinPromises(both.finish()).attach(kj::mv(exchange));
}

kj::Promise<Nonce> handshake_guest(kj::AsyncIoStream& port, PortRole role) {
    auto exchange = kj::heap<Exchange>(Exchange{port, HandshakeScanner::for_request(role), {}});
    Exchange& running = *exchange;
    return running.scan()
        .then([&running, role] {
            running.out = handshake_answer(role, running.scanner.nonce());
            return running.send();
        })
        .then([&running] { return running.scanner.nonce(); })
        .attach(kj::mv(exchange));
}

} // namespace runvm::channel
