// libs: runvm_channel
// A hostile peer's bytes, between any calls of our own side: never more held than a window a stream, nothing
// after an end, and an answer that stays small.

#include "channel/mux.h"

#include <fuzzer/FuzzedDataProvider.h>

#include <cstdlib>
#include <map>

using namespace runvm::channel;

namespace {

void require(bool condition) {
    if (!condition)
        abort();
}

struct Reader final : MuxEvents {
    Mux& mux;
    FuzzedDataProvider& choices;
    struct Stream {
        uint64_t held = 0;
        bool ended = false, peer_reset = false, reset = false;
    };
    std::map<StreamId, Stream> streams;

    Reader(Mux& mux_under_test, FuzzedDataProvider& provider) : mux(mux_under_test), choices(provider) {}

    void on_data(StreamId id, std::span<const uint8_t> bytes) override {
        Stream& stream = streams.at(id);
        require(!bytes.empty() && !stream.ended && !stream.reset);
        stream.held += bytes.size();
        require(stream.held <= stream_window_bytes);
        act(id);
    }
    void on_end(StreamId id) override {
        require(!std::exchange(streams.at(id).ended, true));
        act(id);
    }
    void on_reset(StreamId id) override {
        require(!std::exchange(streams.at(id).peer_reset, true));
        require(mux.sendable(id) == 0);
        act(id);
    }
    void on_progress(StreamId id) override { act(id); }

    /// What our side may do at any moment, in a callback too.
    void act(StreamId id) {
        auto found = streams.find(id);
        if (found == streams.end())
            return;
        Stream& stream = found->second;
        switch (choices.ConsumeIntegralInRange(0, 6)) {
        case 0:
            mux.consumed(id, static_cast<uint32_t>(std::exchange(stream.held, 0)));
            break;
        case 1:
            if (uint32_t length = mux.sendable(id); length > 0) {
                uint8_t header[frame_header_bytes];
                require(length <= max_frame_bytes);
                mux.begin_data(id, length, header);
            }
            break;
        case 2:
            mux.end(id);
            require(mux.sendable(id) == 0);
            break;
        case 3:
            stream.reset = true;
            mux.reset(id);
            break;
        case 4:
            mux.detach(id);
            streams.erase(id);
            break;
        default:
            break;
        }
    }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FuzzedDataProvider choices(data, size);
    Mux mux;
    Reader reader(mux, choices);
    size_t attached = 0;
    while (choices.remaining_bytes() > 0) {
        auto id = choices.ConsumeIntegralInRange<StreamId>(0, 3);
        switch (choices.ConsumeIntegralInRange(0, 7)) {
        case 0:
            if (mux.attached(id))
                break;
            reader.streams[id] = {};
            mux.attach(id);
            ++attached;
            break;
        case 1:
            reader.act(id);
            break;
        case 2: { // a frame that is nearly right
            uint8_t frame[frame_header_bytes] = {static_cast<uint8_t>(id)};
            frame[4] = choices.ConsumeIntegralInRange<uint8_t>(0, 6);
            auto value = choices.ConsumeIntegralInRange<uint32_t>(0, 70000);
            frame[8] = static_cast<uint8_t>(value);
            frame[9] = static_cast<uint8_t>(value >> 8U);
            frame[10] = static_cast<uint8_t>(value >> 16U);
            if (!mux.receive(frame, reader))
                return 0;
            if (frame[4] != static_cast<uint8_t>(FrameType::data))
                break;
            std::vector<uint8_t> payload(value, 'x');
            if (!mux.receive(payload, reader))
                return 0;
            break;
        }
        default: {
            auto bytes = choices.ConsumeBytes<uint8_t>(choices.ConsumeIntegralInRange<size_t>(0, 64));
            if (!mux.receive(bytes, reader))
                return 0;
        }
        }
    }
    // attached twice, end and reset once, and a credit for each half window, which is 128 KiB received.
    require(mux.take_output().size() <= frame_header_bytes * (4 * attached + size));
    return 0;
}
