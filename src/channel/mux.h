#pragma once
// Many byte streams over one port, each with its own credit: the protocol alone, as a state machine without
// any IO. relay.h moves the bytes.
//
// A frame is a header of 12 bytes, little-endian: u32 stream, u8 type, u8 zero[3], u32 value, and for `data`
// that many bytes of payload. A stream has two halves, one a direction, that end independently.
//
//   attached  value 0: the sender knows the stream from now on. value 1: so it does, and it has heard the
//   peer. data      value: the payload's length, 1 to 64 KiB, never more than the credit left end       the
//   sender's half is over: nothing but credit and reset follows from it credit    value: bytes that the peer
//   may send besides those it was granted before reset     the sender takes no more data on this stream: the
//   peer's half is over
//
// Each half starts with a credit of 256 KiB, a constant that both sides know, and more is granted as the
// receiver hands bytes on. So a receiver never buffers more than that a stream, whatever the peer does.
//
// Frames for unknown streams are ignored: after a detach some are still in flight. At attach that would lose
// bytes. The monitor attaches before it asks the agent for the process, the agent before it answers; but
// stream and control port are not ordered, so the monitor's first bytes of stdin may be here before the agent
// has even seen the request. Therefore a side sends nothing but `attached` 0 until it has heard of the stream
// from its peer, and answers the peer's `attached` 0 with `attached` 1 (its own 0 may have come too early).
// That is right whoever is first.

#include "core/result.h"

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace runvm::channel {

using StreamId = uint32_t;

constexpr uint32_t frame_header_bytes = 12;
constexpr uint32_t max_frame_bytes = 64U << 10U;
constexpr uint32_t stream_window_bytes = 256U << 10U;

enum class FrameType : uint8_t { data = 1, end = 2, credit = 3, reset = 4, attached = 5 };

/// What Mux::receive found. The calls come in the order of the bytes; each may call the mux (detach
/// included).
class MuxEvents {
public:
    /// A piece of a data frame; it is gone after the call. Each byte is to be reported once with
    /// Mux::consumed.
    virtual void on_data(StreamId stream, std::span<const uint8_t> bytes) = 0;
    /// The peer's half is over: all of its bytes have been given to on_data.
    virtual void on_end(StreamId stream) = 0;
    /// The peer takes no more data: our half is over.
    virtual void on_reset(StreamId stream) = 0;
    /// Mux::sendable was 0 and is not any more, or an end or a reset that had to wait for the peer went out.
    virtual void on_progress(StreamId stream) = 0;

protected:
    ~MuxEvents() = default;
};

class Mux {
public:
    /// Starts a stream; the id must not be attached.
    void attach(StreamId stream);
    /// Forgets a stream; what was put out for it before is still sent.
    void detach(StreamId stream);
    bool attached(StreamId stream) const { return streams_.contains(stream); }

    /// Takes bytes of the peer in pieces of any size. An error (kind guest) names how the peer broke the
    /// protocol; the session is over then. Never holds more than a header.
    Result<void> receive(std::span<const uint8_t> bytes, MuxEvents& events);

    /// The number of bytes that the stream's next data frame may have; 0: none now.
    uint32_t sendable(StreamId stream) const;
    /// Writes the header of a data frame, whose payload of `length` bytes (at most sendable()) the caller
    /// sends right behind it.
    void begin_data(StreamId stream, uint32_t length, std::span<uint8_t, frame_header_bytes> header);
    /// Our half is over; may be called again.
    void end(StreamId stream);
    /// We take no more data; what is in flight is ignored. May be called again.
    void reset(StreamId stream);
    /// Bytes from on_data that left our memory: grants them anew, half a window at a time.
    void consumed(StreamId stream, uint32_t bytes);

    /// The bytes of all data frames begun so far.
    uint64_t bytes_sent(StreamId stream) const;
    /// The peer knows that our half is over (its frame was put out), or it does not want it.
    bool sending_over(StreamId stream) const;
    /// The peer's half is over, or it has been told that we do not want it.
    bool receiving_over(StreamId stream) const;

    bool has_output() const { return !output_.empty(); }
    /// The frames without payload that are to be sent, after all the data frames begun before this call.
    std::vector<uint8_t> take_output() { return std::exchange(output_, {}); }

private:
    struct Stream {
        uint32_t send_credit = stream_window_bytes;
        uint32_t receive_credit = stream_window_bytes; // what the peer may still send
        uint32_t consumed_bytes = 0;                   // not granted anew yet
        uint64_t bytes_sent = 0;
        bool peer_heard = false;
        bool peer_announced = false; // its `attached` 0 came
        bool peer_answered = false;  // its `attached` 1 came
        bool end_wanted = false, end_sent = false;
        bool reset_wanted = false, reset_sent = false;
        bool end_received = false, reset_received = false;
    };

    Stream* find(StreamId stream);
    const Stream* find(StreamId stream) const;
    void put_frame(StreamId stream, FrameType type, uint32_t value);
    /// Puts out what may be put out only once the peer has been heard. True if there was something.
    bool put_wanted(StreamId id, Stream& stream);
    Result<void> receive_frame(MuxEvents& events);
    Result<void> receive_attached(StreamId id, Stream& stream, uint32_t value);
    Result<void> receive_data(StreamId id, Stream* stream, uint32_t length);
    Result<void> receive_credit(StreamId id, Stream& stream, uint32_t bytes, MuxEvents& events);

    std::unordered_map<StreamId, Stream> streams_;
    std::vector<uint8_t> output_;
    // The frame that is being received.
    uint8_t header_[frame_header_bytes] = {};
    uint32_t header_filled_ = 0;
    StreamId payload_stream_ = 0;
    uint32_t payload_left_ = 0;
    bool payload_wanted_ = false;
};

} // namespace runvm::channel
