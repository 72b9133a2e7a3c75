#include "channel/name_messages.h"

#include <kj/debug.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace runvm::channel {

kj::Promise<std::string> read_name_message(kj::AsyncInputStream& stream) {
    auto length = kj::heap<std::array<uint8_t, 2>>();
    auto& bytes = *length;
    auto read = stream.tryRead(bytes.data(), bytes.size(), bytes.size());
    return read.then([&stream, length = kj::mv(length)](size_t got) -> kj::Promise<std::string> {
        size_t size = got < length->size() ? 0 : size_t{(*length)[0]} << 8U | (*length)[1];
        if (size == 0)
            return std::string();
        auto message = kj::heap<std::string>(size, '\0');
        auto rest = stream.tryRead(message->data(), size, size);
        return rest.then([message = kj::mv(message)](size_t rest_size) mutable {
            return rest_size < message->size() ? std::string() : std::move(*message);
        });
    });
}

kj::Promise<void> write_name_message(kj::AsyncOutputStream& stream, std::string message) {
    KJ_REQUIRE(message.size() <= largest_name_message);
    auto framed = kj::heap<std::string>(2 + message.size(), '\0');
    (*framed)[0] = static_cast<char>(message.size() >> 8U);
    (*framed)[1] = static_cast<char>(message.size() & 0xffU);
    std::copy(message.begin(), message.end(), framed->begin() + 2);
    auto written = stream.write(framed->data(), framed->size());
    return written.attach(kj::mv(framed));
}

} // namespace runvm::channel
