#include "channel/mux.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

namespace runvm::channel {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes frame(StreamId stream, uint8_t type, uint32_t value, uint8_t padding = 0) {
    Bytes bytes(frame_header_bytes);
    for (unsigned i = 0; i < 4; ++i) {
        bytes[i] = static_cast<uint8_t>(stream >> 8 * i);
        bytes[8 + i] = static_cast<uint8_t>(value >> 8 * i);
    }
    bytes[4] = type;
    bytes[6] = padding;
    return bytes;
}

Bytes frame(StreamId stream, FrameType type, uint32_t value) {
    return frame(stream, static_cast<uint8_t>(type), value);
}

Bytes data_frame(StreamId stream, size_t length, uint8_t fill = 'x') {
    Bytes bytes = frame(stream, FrameType::data, static_cast<uint32_t>(length));
    bytes.resize(bytes.size() + length, fill);
    return bytes;
}

void append(Bytes& bytes, const Bytes& more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
}

Bytes operator+(Bytes left, const Bytes& right) {
    append(left, right);
    return left;
}

struct Recorder final : MuxEvents {
    std::map<StreamId, Bytes> data;
    std::map<StreamId, int> ends, resets, progress;
    void on_data(StreamId id, std::span<const uint8_t> bytes) override {
        data[id].insert(data[id].end(), bytes.begin(), bytes.end());
    }
    void on_end(StreamId id) override { ++ends[id]; }
    void on_reset(StreamId id) override { ++resets[id]; }
    void on_progress(StreamId id) override { ++progress[id]; }
};

/// A mux with stream 7 attached that has heard of its peer, and nothing left to send.
struct Connected {
    Mux mux;
    Recorder events;
    Connected() {
        mux.attach(7);
        EXPECT_TRUE(mux.receive(frame(7, FrameType::attached, 1), events).ok());
        mux.take_output();
    }
    std::string error_of(const Bytes& bytes) {
        auto result = mux.receive(bytes, events);
        if (result)
            return "none";
        EXPECT_EQ(result.error().kind(), ErrorKind::guest);
        return result.error().message();
    }
    void send(uint32_t length) {
        Bytes header(frame_header_bytes);
        mux.begin_data(7, length, std::span<uint8_t, frame_header_bytes>(header));
    }
};

TEST(Mux, sends_nothing_but_attached_before_the_peer_is_heard) {
    Mux mux;
    Recorder events;
    mux.attach(7);
    mux.end(7);
    mux.reset(7);
    EXPECT_EQ(mux.take_output(), frame(7, FrameType::attached, 0));
    EXPECT_EQ(mux.sendable(7), 0U);
    EXPECT_FALSE(mux.sending_over(7));
    EXPECT_FALSE(mux.receiving_over(7));

    ASSERT_TRUE(mux.receive(frame(7, FrameType::attached, 0), events).ok());
    EXPECT_EQ(mux.take_output(),
              frame(7, FrameType::attached, 1) + frame(7, FrameType::end, 0) + frame(7, FrameType::reset, 0));
    EXPECT_EQ(events.progress[7], 1);
    EXPECT_TRUE(mux.sending_over(7));
    EXPECT_TRUE(mux.receiving_over(7));
}

TEST(Mux, needs_no_answer_to_an_answer) {
    Mux mux;
    Recorder events;
    mux.attach(7);
    mux.take_output();
    ASSERT_TRUE(mux.receive(frame(7, FrameType::attached, 1), events).ok());
    EXPECT_FALSE(mux.has_output());
    EXPECT_EQ(mux.sendable(7), max_frame_bytes);
}

TEST(Mux, whoever_attaches_first_both_may_send) {
    Mux first, second;
    Recorder first_events, second_events;
    first.attach(1);
    ASSERT_TRUE(second.receive(first.take_output(), second_events).ok()); // too early: ignored
    second.attach(1);
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(first.receive(second.take_output(), first_events).ok());
        ASSERT_TRUE(second.receive(first.take_output(), second_events).ok());
    }
    EXPECT_EQ(first.sendable(1), max_frame_bytes);
    EXPECT_EQ(second.sendable(1), max_frame_bytes);
    EXPECT_FALSE(first.has_output());
    EXPECT_FALSE(second.has_output());
}

TEST(Mux, credit_is_exact) {
    Connected side;
    for (int i = 0; i < 4; ++i) {
        ASSERT_EQ(side.mux.sendable(7), max_frame_bytes);
        side.send(max_frame_bytes);
    }
    EXPECT_EQ(side.mux.sendable(7), 0U);
    EXPECT_EQ(side.mux.bytes_sent(7), stream_window_bytes);
    side.events.progress.clear();
    EXPECT_EQ(side.error_of(frame(7, FrameType::credit, 5)), "none");
    EXPECT_EQ(side.events.progress[7], 1);
    EXPECT_EQ(side.mux.sendable(7), 5U);
    EXPECT_EQ(side.error_of(frame(7, FrameType::credit, stream_window_bytes - 5)), "none");
    EXPECT_EQ(side.events.progress[7], 1) << "only a change from nothing is progress";
}

TEST(Mux, grants_half_a_window_at_a_time) {
    Connected side;
    ASSERT_EQ(side.error_of(data_frame(7, max_frame_bytes) + data_frame(7, max_frame_bytes)), "none");
    side.mux.consumed(7, stream_window_bytes / 2 - 1);
    EXPECT_FALSE(side.mux.has_output());
    side.mux.consumed(7, 1);
    EXPECT_EQ(side.mux.take_output(), frame(7, FrameType::credit, stream_window_bytes / 2));
}

TEST(Mux, takes_a_whole_window_and_no_byte_more) {
    Connected side;
    Bytes window;
    for (int i = 0; i < 4; ++i)
        window = window + data_frame(7, max_frame_bytes);
    EXPECT_EQ(side.error_of(window), "none");
    EXPECT_EQ(side.events.data[7].size(), stream_window_bytes);
    EXPECT_EQ(side.error_of(data_frame(7, 1)),
              "the peer broke the stream protocol: stream 7: 1 bytes of data with a credit of 0");
}

TEST(Mux, end_comes_after_the_data_and_once) {
    Connected side;
    EXPECT_EQ(side.error_of(data_frame(7, 3) + frame(7, FrameType::end, 0)), "none");
    EXPECT_EQ(side.events.data[7].size(), 3U);
    EXPECT_EQ(side.events.ends[7], 1);
    EXPECT_TRUE(side.mux.receiving_over(7));
    side.mux.end(7);
    side.mux.end(7);
    EXPECT_EQ(side.mux.take_output(), frame(7, FrameType::end, 0));
    EXPECT_EQ(side.mux.sendable(7), 0U);
    EXPECT_TRUE(side.mux.sending_over(7));
}

TEST(Mux, after_its_own_reset_it_drops_what_is_in_flight) {
    Connected side;
    Bytes bytes = data_frame(7, 100);
    EXPECT_EQ(side.error_of(Bytes(bytes.begin(), bytes.begin() + 50)), "none"); // in the midst of a frame
    size_t before = side.events.data[7].size();
    side.mux.reset(7);
    side.mux.reset(7);
    EXPECT_EQ(side.mux.take_output(), frame(7, FrameType::reset, 0));
    EXPECT_EQ(side.error_of(Bytes(bytes.begin() + 50, bytes.end()) + data_frame(7, 10)), "none");
    EXPECT_EQ(side.events.data[7].size(), before);
    side.mux.consumed(7, 38);
    EXPECT_EQ(side.error_of(frame(7, FrameType::end, 0)), "none");
    EXPECT_EQ(side.events.ends[7], 0) << "we had given the half up";
    EXPECT_FALSE(side.mux.has_output()) << "no credit for what is not wanted";
}

TEST(Mux, the_peers_reset_ends_our_half) {
    Connected side;
    EXPECT_EQ(side.error_of(frame(7, FrameType::reset, 0)), "none");
    EXPECT_EQ(side.events.resets[7], 1);
    EXPECT_EQ(side.mux.sendable(7), 0U);
    EXPECT_TRUE(side.mux.sending_over(7));
    side.mux.end(7);
    EXPECT_FALSE(side.mux.has_output());
}

TEST(Mux, ignores_unknown_streams) {
    Connected side;
    EXPECT_EQ(side.error_of(data_frame(8, 70) + frame(8, FrameType::end, 0) +
                            frame(8, FrameType::credit, 99) + frame(8, FrameType::reset, 0) +
                            frame(8, FrameType::attached, 0)),
              "none");
    EXPECT_TRUE(side.events.data.empty());
    EXPECT_FALSE(side.mux.has_output());
    Bytes bytes = data_frame(7, 100);
    EXPECT_EQ(side.error_of(Bytes(bytes.begin(), bytes.begin() + 50)), "none");
    side.mux.detach(7);
    EXPECT_EQ(side.error_of(Bytes(bytes.begin() + 50, bytes.end())), "none");
    EXPECT_EQ(side.events.data[7].size(), 50 - frame_header_bytes);
}

struct Violation {
    Bytes bytes;
    std::string message; // behind "the peer broke the stream protocol: "
};

class MuxViolation : public testing::TestWithParam<Violation> {};

TEST_P(MuxViolation, is_named) {
    Connected side;
    EXPECT_EQ(side.error_of(GetParam().bytes), "the peer broke the stream protocol: " + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Each, MuxViolation,
    testing::Values(
        Violation{frame(7, 0, 0), "stream 7: a frame of the unknown type 0"},
        Violation{frame(8, 6, 0), "stream 8: a frame of the unknown type 6"},
        Violation{frame(7, 2, 0, 1), "stream 7: a frame whose padding is not zero"},
        Violation{frame(7, FrameType::data, 0), "stream 7: an empty data frame"},
        Violation{frame(7, FrameType::data, max_frame_bytes + 1),
                  "stream 7: a data frame of 65537 bytes, the limit is 65536"},
        Violation{frame(9, FrameType::data, 0xffffffff),
                  "stream 9: a data frame of 4294967295 bytes, the limit is 65536"},
        Violation{frame(7, FrameType::end, 0) + frame(7, FrameType::end, 0), "stream 7: a second end"},
        Violation{frame(7, FrameType::end, 0) + data_frame(7, 1), "stream 7: data after its end"},
        Violation{frame(7, FrameType::end, 1), "stream 7: an end or reset frame with a value"},
        Violation{frame(7, FrameType::reset, 0) + frame(7, FrameType::reset, 0), "stream 7: a second reset"},
        Violation{frame(7, FrameType::credit, 1), "stream 7: a credit of 1 bytes, but 0 were outstanding"},
        Violation{frame(7, FrameType::credit, 0), "stream 7: a credit of 0 bytes, but 0 were outstanding"},
        Violation{frame(7, FrameType::credit, 0xffffffff),
                  "stream 7: a credit of 4294967295 bytes, but 0 were outstanding"},
        Violation{frame(7, FrameType::attached, 2), "stream 7: an attached frame with the value 2"},
        Violation{frame(7, FrameType::attached, 1), "stream 7: the same attached frame twice"}));

// -- two sides against each other, in random steps

uint8_t pattern(StreamId stream, uint64_t offset) {
    return static_cast<uint8_t>((offset * 2654435761U) >> 13U ^ stream * 31);
}

/// One end with a model of its local readers: bytes wait in `held` until they are consumed.
struct Side final : MuxEvents {
    Mux mux;
    struct Stream {
        uint64_t sent = 0, received = 0, held = 0;
        bool ended = false, peer_ended = false, peer_reset = false, reset = false;
    };
    std::map<StreamId, Stream> streams;
    Bytes wire; // what the other side has not read yet

    void on_data(StreamId id, std::span<const uint8_t> bytes) override {
        Stream& stream = streams.at(id);
        ASSERT_FALSE(stream.peer_ended);
        ASSERT_FALSE(stream.reset);
        size_t wrong = 0;
        for (uint8_t byte : bytes)
            wrong += byte != pattern(id, stream.received++) ? 1 : 0;
        ASSERT_EQ(wrong, 0U) << "before byte " << stream.received;
        stream.held += bytes.size();
        ASSERT_LE(stream.held, stream_window_bytes);
    }
    void on_end(StreamId id) override {
        ASSERT_FALSE(streams.at(id).peer_ended);
        streams.at(id).peer_ended = true;
    }
    void on_reset(StreamId id) override {
        ASSERT_FALSE(streams.at(id).peer_reset);
        streams.at(id).peer_reset = true;
    }
    void on_progress(StreamId) override {}

    void attach(StreamId id) {
        if (streams.try_emplace(id).second)
            mux.attach(id);
    }
    void send(StreamId id, uint32_t want) {
        Stream& stream = streams.at(id);
        uint32_t length = std::min(want, mux.sendable(id));
        if (length == 0)
            return;
        Bytes bytes(frame_header_bytes);
        mux.begin_data(id, length, std::span<uint8_t, frame_header_bytes>(bytes));
        for (uint32_t i = 0; i < length; ++i)
            bytes.push_back(pattern(id, stream.sent++));
        append(wire, bytes);
    }
    void flush() { append(wire, mux.take_output()); }
    void consume(StreamId id, uint64_t bytes) {
        Stream& stream = streams.at(id);
        bytes = std::min(bytes, stream.held);
        stream.held -= bytes;
        mux.consumed(id, static_cast<uint32_t>(bytes));
    }
};

void deliver(Side& from, Side& to, size_t bytes) {
    bytes = std::min(bytes, from.wire.size());
    auto result = to.mux.receive(std::span(from.wire).first(bytes), to);
    ASSERT_TRUE(result.ok()) << result.error().to_string();
    from.wire.erase(from.wire.begin(), from.wire.begin() + static_cast<ptrdiff_t>(bytes));
}

class MuxRandom : public testing::TestWithParam<uint32_t> {};

TEST_P(MuxRandom, honest_sides_agree_whatever_the_chunks) {
    std::mt19937 random(GetParam());
    auto up_to = [&random](uint32_t max) { return std::uniform_int_distribution<uint32_t>(0, max)(random); };
    constexpr StreamId stream_count = 4;
    Side sides[2];
    for (int step = 0; step < 2000 && !testing::Test::HasFatalFailure(); ++step) {
        Side& side = sides[up_to(1)];
        Side& other = &side == &sides[0] ? sides[1] : sides[0];
        StreamId id = 1 + up_to(stream_count - 1);
        if (!side.streams.contains(id)) {
            if (up_to(9) == 0)
                side.attach(id);
            continue;
        }
        switch (up_to(12)) {
        case 0:
            if (up_to(60) == 0) {
                side.streams.at(id).ended = true;
                side.mux.end(id);
            }
            break;
        case 1:
            if (up_to(120) == 0) {
                side.streams.at(id).reset = true;
                side.mux.reset(id);
            }
            break;
        case 2:
        case 3:
        case 4:
            side.send(id, 1 + up_to(up_to(7) == 0 ? 2 * max_frame_bytes : 30));
            side.flush();
            break;
        case 5:
        case 6:
            side.consume(id, up_to(stream_window_bytes));
            break;
        case 7:
            side.flush();
            break;
        default:
            deliver(side, other, 1 + up_to(up_to(1) == 0 ? 20 : 200000));
        }
    }
    // At last everything is attached, sent, read and ended: each half is over on both sides.
    for (Side& side : sides)
        for (StreamId id = 1; id <= stream_count; ++id)
            side.attach(id);
    for (int round = 0; round < 8; ++round) {
        for (int i = 0; i < 2; ++i) {
            for (StreamId id = 1; id <= stream_count; ++id) {
                sides[i].consume(id, stream_window_bytes);
                if (round < 4)
                    sides[i].send(id, 1000);
                else
                    sides[i].mux.end(id);
            }
            sides[i].flush();
            deliver(sides[i], sides[1 - i], sides[i].wire.size());
        }
    }
    for (int i = 0; i < 2; ++i) {
        for (StreamId id = 1; id <= stream_count; ++id) {
            SCOPED_TRACE("side " + std::to_string(i) + " stream " + std::to_string(id));
            EXPECT_TRUE(sides[i].mux.sending_over(id));
            EXPECT_TRUE(sides[i].mux.receiving_over(id));
            if (sides[i].streams.at(id).reset)
                continue;
            EXPECT_TRUE(sides[i].streams.at(id).peer_ended);
            EXPECT_EQ(sides[i].streams.at(id).received, sides[1 - i].streams.at(id).sent);
            EXPECT_EQ(sides[1 - i].mux.bytes_sent(id), sides[1 - i].streams.at(id).sent);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, MuxRandom, testing::Range(1U, 13U));

} // namespace
} // namespace runvm::channel
