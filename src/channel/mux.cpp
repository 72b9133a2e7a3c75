#include "channel/mux.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <string>

namespace runvm::channel {
namespace {

uint32_t load_u32(const uint8_t* bytes) {
    return static_cast<uint32_t>(bytes[0]) | static_cast<uint32_t>(bytes[1]) << 8U |
           static_cast<uint32_t>(bytes[2]) << 16U | static_cast<uint32_t>(bytes[3]) << 24U;
}

void store_u32(uint8_t* bytes, uint32_t value) {
    bytes[0] = static_cast<uint8_t>(value);
    bytes[1] = static_cast<uint8_t>(value >> 8U);
    bytes[2] = static_cast<uint8_t>(value >> 16U);
    bytes[3] = static_cast<uint8_t>(value >> 24U);
}

void store_header(uint8_t* header, StreamId stream, FrameType type, uint32_t value) {
    store_u32(header, stream);
    header[4] = static_cast<uint8_t>(type);
    header[5] = header[6] = header[7] = 0;
    store_u32(header + 8, value);
}

Error violation(StreamId stream, const std::string& what) {
    return {ErrorKind::guest,
            "the peer broke the stream protocol: stream " + std::to_string(stream) + ": " + what};
}

} // namespace

Mux::Stream* Mux::find(StreamId stream) {
    auto found = streams_.find(stream);
    return found == streams_.end() ? nullptr : &found->second;
}

const Mux::Stream* Mux::find(StreamId stream) const {
    auto found = streams_.find(stream);
    return found == streams_.end() ? nullptr : &found->second;
}

void Mux::put_frame(StreamId stream, FrameType type, uint32_t value) {
    output_.resize(output_.size() + frame_header_bytes);
    store_header(output_.data() + output_.size() - frame_header_bytes, stream, type, value);
}

void Mux::attach(StreamId stream) {
    [[maybe_unused]] bool inserted = streams_.try_emplace(stream).second;
    assert(inserted);
    put_frame(stream, FrameType::attached, 0);
}

void Mux::detach(StreamId stream) {
    streams_.erase(stream);
    if (payload_stream_ == stream)
        payload_wanted_ = false;
}

uint32_t Mux::sendable(StreamId id) const {
    const Stream* stream = find(id);
    if (stream == nullptr || !stream->peer_heard || stream->end_wanted || stream->reset_received)
        return 0;
    return std::min(stream->send_credit, max_frame_bytes);
}

void Mux::begin_data(StreamId id, uint32_t length, std::span<uint8_t, frame_header_bytes> header) {
    assert(length > 0 && length <= sendable(id));
    Stream& stream = *find(id);
    stream.send_credit -= length;
    stream.bytes_sent += length;
    store_header(header.data(), id, FrameType::data, length);
}

bool Mux::put_wanted(StreamId id, Stream& stream) {
    bool any = false;
    if (stream.end_wanted && !stream.end_sent) {
        stream.end_sent = any = true;
        put_frame(id, FrameType::end, 0);
    }
    if (stream.reset_wanted && !stream.reset_sent) {
        stream.reset_sent = any = true;
        put_frame(id, FrameType::reset, 0);
    }
    return any;
}

void Mux::end(StreamId id) {
    Stream* stream = find(id);
    if (stream == nullptr || stream->reset_received)
        return;
    stream->end_wanted = true;
    if (stream->peer_heard)
        put_wanted(id, *stream);
}

void Mux::reset(StreamId id) {
    Stream* stream = find(id);
    if (stream == nullptr || stream->end_received)
        return;
    stream->reset_wanted = true;
    if (payload_stream_ == id)
        payload_wanted_ = false;
    if (stream->peer_heard)
        put_wanted(id, *stream);
}

void Mux::consumed(StreamId id, uint32_t bytes) {
    Stream* stream = find(id);
    if (stream == nullptr || stream->end_received || stream->reset_wanted)
        return;
    assert(stream->receive_credit + stream->consumed_bytes + bytes <= stream_window_bytes);
    stream->consumed_bytes += bytes;
    if (stream->consumed_bytes < stream_window_bytes / 2)
        return;
    stream->receive_credit += stream->consumed_bytes;
    put_frame(id, FrameType::credit, stream->consumed_bytes);
    stream->consumed_bytes = 0;
}

uint64_t Mux::bytes_sent(StreamId id) const {
    const Stream* stream = find(id);
    return stream == nullptr ? 0 : stream->bytes_sent;
}

bool Mux::sending_over(StreamId id) const {
    const Stream* stream = find(id);
    return stream == nullptr || stream->end_sent || stream->reset_received;
}

bool Mux::receiving_over(StreamId id) const {
    const Stream* stream = find(id);
    return stream == nullptr || stream->end_received || stream->reset_sent;
}

Result<void> Mux::receive(std::span<const uint8_t> bytes, MuxEvents& events) {
    while (!bytes.empty()) {
        if (payload_left_ > 0) {
            auto piece = bytes.first(std::min<size_t>(bytes.size(), payload_left_));
            payload_left_ -= static_cast<uint32_t>(piece.size());
            bytes = bytes.subspan(piece.size());
            if (payload_wanted_)
                events.on_data(payload_stream_, piece);
            continue;
        }
        auto piece = bytes.first(std::min<size_t>(bytes.size(), frame_header_bytes - header_filled_));
        std::memcpy(header_ + header_filled_, piece.data(), piece.size());
        header_filled_ += static_cast<uint32_t>(piece.size());
        bytes = bytes.subspan(piece.size());
        if (header_filled_ < frame_header_bytes)
            return {};
        header_filled_ = 0;
        RUNVM_TRY(receive_frame(events));
    }
    return {};
}

Result<void> Mux::receive_frame(MuxEvents& events) {
    StreamId id = load_u32(header_);
    uint8_t type = header_[4];
    uint32_t value = load_u32(header_ + 8);
    if (type < static_cast<uint8_t>(FrameType::data) || type > static_cast<uint8_t>(FrameType::attached))
        return violation(id, "a frame of the unknown type " + std::to_string(type));
    if (header_[5] != 0 || header_[6] != 0 || header_[7] != 0)
        return violation(id, "a frame whose padding is not zero");

    Stream* stream = find(id);
    auto frame = static_cast<FrameType>(type);
    if (stream != nullptr && !stream->peer_heard) {
        stream->peer_heard = true;
        // Our own `attached` 0 may have been ignored, so answer; other frames say that it was not.
        if (frame == FrameType::attached && value == 0)
            put_frame(id, FrameType::attached, 1);
        put_wanted(id, *stream);
        events.on_progress(id);
        stream = find(id);
    }
    if (frame == FrameType::data)
        return receive_data(id, stream, value);
    if ((frame == FrameType::end || frame == FrameType::reset) && value != 0)
        return violation(id, "an end or reset frame with a value");
    if (stream == nullptr)
        return {};

    switch (frame) {
    case FrameType::attached:
        return receive_attached(id, *stream, value);
    case FrameType::credit:
        return receive_credit(id, *stream, value, events);
    case FrameType::end:
        if (stream->end_received)
            return violation(id, "a second end");
        stream->end_received = true;
        if (!stream->reset_wanted)
            events.on_end(id);
        return {};
    case FrameType::reset:
        if (stream->reset_received)
            return violation(id, "a second reset");
        stream->reset_received = true;
        if (!stream->end_sent)
            events.on_reset(id);
        return {};
    case FrameType::data:
        break;
    }
    return {};
}

Result<void> Mux::receive_attached(StreamId id, Stream& stream, uint32_t value) {
    if (value > 1)
        return violation(id, "an attached frame with the value " + std::to_string(value));
    bool& seen = value == 0 ? stream.peer_announced : stream.peer_answered;
    if (seen)
        return violation(id, "the same attached frame twice");
    seen = true;
    return {};
}

Result<void> Mux::receive_data(StreamId id, Stream* stream, uint32_t length) {
    if (length == 0)
        return violation(id, "an empty data frame");
    if (length > max_frame_bytes)
        return violation(id, "a data frame of " + std::to_string(length) + " bytes, the limit is " +
                                 std::to_string(max_frame_bytes));
    payload_stream_ = id;
    payload_left_ = length;
    payload_wanted_ = false;
    if (stream == nullptr)
        return {};
    if (stream->end_received)
        return violation(id, "data after its end");
    if (length > stream->receive_credit)
        return violation(id, std::to_string(length) + " bytes of data with a credit of " +
                                 std::to_string(stream->receive_credit));
    stream->receive_credit -= length;
    payload_wanted_ = !stream->reset_wanted;
    return {};
}

Result<void> Mux::receive_credit(StreamId id, Stream& stream, uint32_t bytes, MuxEvents& events) {
    if (bytes == 0 || bytes > stream_window_bytes - stream.send_credit)
        return violation(id, "a credit of " + std::to_string(bytes) + " bytes, but " +
                                 std::to_string(stream_window_bytes - stream.send_credit) +
                                 " were outstanding");
    bool was_empty = sendable(id) == 0;
    stream.send_credit += bytes;
    if (was_empty && sendable(id) > 0)
        events.on_progress(id);
    return {};
}

} // namespace runvm::channel
