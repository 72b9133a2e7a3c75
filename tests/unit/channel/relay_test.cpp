#include "channel/relay.h"

#include "relay_fixture.h"

#include <pty.h>
#include <termios.h>

#include <cstring>

namespace runvm::channel {
namespace {

using Relay = RelayTest;

constexpr uint64_t mib = 1U << 20U;

TEST_F(Relay, ten_megabytes_both_ways_past_a_reader_that_sleeps) {
    FdPair in_host = make_pipe(), in_guest = make_pipe();       // stream 1: to the process
    FdPair out_guest = make_pipe(), out_host = make_pipe();     // stream 2: from it
    FdPair stuck_guest = make_pipe(), stuck_host = make_pipe(); // stream 3: nobody reads at first
    host->attach(1, std::move(in_host.read), {});
    host->attach(2, {}, std::move(out_host.write));
    host->attach(3, {}, std::move(stuck_host.write));
    guest->attach(1, {}, std::move(in_guest.write));
    guest->attach(2, std::move(out_guest.read), {});
    guest->attach(3, std::move(stuck_guest.read), {});

    auto stuck = produce(3, std::move(stuck_guest.write), 2 * mib).eagerlyEvaluate(nullptr);
    auto sent_in = produce(1, std::move(in_host.write), 10 * mib).eagerlyEvaluate(nullptr);
    auto sent_out = produce(2, std::move(out_guest.write), 10 * mib).eagerlyEvaluate(nullptr);
    auto got_out = consume(2, std::move(out_host.read)).eagerlyEvaluate(nullptr);
    EXPECT_EQ(wait(consume(1, std::move(in_guest.read))), 10 * mib);
    EXPECT_EQ(wait(kj::mv(got_out)), 10 * mib);
    wait(host->ended(1));
    wait(host->ended(2));
    wait(guest->ended(1));
    wait(guest->ended(2));

    EXPECT_FALSE(resolves_now(guest->ended(3)));
    EXPECT_EQ(wait(consume(3, std::move(stuck_host.read))), 2 * mib);
    wait(host->ended(3));
    EXPECT_EQ(host_error + guest_error, "");
}

TEST_F(Relay, a_reader_that_sleeps_stops_the_writer_after_the_window) {
    FdPair out_guest = make_pipe(), out_host = make_pipe();
    host->attach(1, {}, duplicate(out_host.write));
    guest->attach(1, std::move(out_guest.read), {});
    auto writing = produce(1, std::move(out_guest.write), 10 * mib).eagerlyEvaluate(nullptr);
    settle();
    // The window, what the reader's pipe holds (64 KiB), and what the writer's pipe holds.
    uint64_t promised = guest->bytes_promised(1);
    EXPECT_GE(promised, stream_window_bytes);
    EXPECT_LE(promised, 2 * stream_window_bytes);
    settle();
    EXPECT_EQ(guest->bytes_promised(1), promised);
}

TEST_F(Relay, what_was_sent_before_the_peer_attached_arrives) {
    FdPair in_host = make_pipe(), in_guest = make_pipe();
    ASSERT_EQ(write(in_host.write.get(), "early", 5), 5);
    in_host.write.reset();
    host->attach(1, std::move(in_host.read), {});
    settle();
    guest->attach(1, {}, std::move(in_guest.write));
    char text[20] = {};
    auto end = stream(in_guest.read);
    EXPECT_EQ(wait(end->tryRead(text, sizeof text, sizeof text)), 5U);
    EXPECT_STREQ(text, "early");
    wait(host->ended(1));
    wait(guest->ended(1));
}

TEST_F(Relay, end_of_file_passes_without_any_byte) {
    FdPair out_guest = make_pipe(), out_host = make_pipe();
    guest->attach(1, std::move(out_guest.read), {});
    host->attach(1, {}, std::move(out_host.write));
    settle();
    char byte = 0;
    auto end = stream(out_host.read);
    auto read = end->tryRead(&byte, 1, 1).ignoreResult().eagerlyEvaluate(nullptr);
    settle();
    EXPECT_FALSE(read.poll(io.waitScope)) << "the writer is still there";
    out_guest.write.reset();
    EXPECT_EQ(wait(read.then([] { return 0; })), 0);
}

TEST_F(Relay, a_reader_that_went_away_closes_the_source_although_nothing_is_written) {
    FdPair out_guest = make_pipe(), out_host = make_pipe();
    guest->attach(1, std::move(out_guest.read), {});
    host->attach(1, {}, std::move(out_host.write));
    settle();
    auto writer = stream(out_guest.write);
    auto broken = writer->whenWriteDisconnected();
    out_host.read.reset();
    wait(kj::mv(broken)); // the process would get EPIPE now
    wait(host->ended(1));
    wait(guest->ended(1));
    EXPECT_EQ(write(out_guest.write.get(), "x", 1), -1);
    EXPECT_EQ(errno, EPIPE);
}

TEST_F(Relay, a_reader_that_goes_away_in_mid_stream_closes_the_source) {
    FdPair out_guest = make_pipe(), out_host = make_pipe();
    guest->attach(1, std::move(out_guest.read), {});
    host->attach(1, {}, std::move(out_host.write));
    bool epipe = false;
    auto writing =
        produce(1, std::move(out_guest.write), 20 * mib)
            .catch_([&epipe](kj::Exception&& e) { epipe = e.getType() == kj::Exception::Type::DISCONNECTED; })
            .eagerlyEvaluate(nullptr);
    std::vector<uint8_t> buffer(mib);
    auto reader = wrap_port(events(), std::move(out_host.read));
    wait(reader->tryRead(buffer.data(), buffer.size(), buffer.size()).ignoreResult());
    reader = nullptr;
    wait(kj::mv(writing));
    EXPECT_TRUE(epipe);
    wait(host->ended(1));
    wait(guest->ended(1));
    EXPECT_EQ(host_error + guest_error, "");
}

TEST_F(Relay, a_stream_without_a_sink_on_the_other_side_is_closed) {
    FdPair out_guest = make_pipe();
    guest->attach(1, std::move(out_guest.read), {});
    host->attach(1, {}, {});
    auto broken = stream(out_guest.write);
    ASSERT_EQ(write(out_guest.write.get(), "x", 1), 1);
    wait(broken->whenWriteDisconnected());
    wait(guest->ended(1));
    wait(host->ended(1));
}

TEST_F(Relay, sockets_end_one_half_at_a_time) {
    FdPair at_guest = make_sockets(), at_host = make_sockets();
    guest->attach(1, duplicate(at_guest.write), duplicate(at_guest.write));
    host->attach(1, duplicate(at_host.write), duplicate(at_host.write));
    // The relays' own ends stay open here too, as they would in a caller that keeps them.
    auto process = stream(at_guest.read), user = stream(at_host.read);
    wait(user->write("question", 8));
    user->shutdownWrite();
    char text[20] = {};
    EXPECT_EQ(wait(process->tryRead(text, sizeof text, sizeof text)), 8U) << "up to end-of-file";
    EXPECT_STREQ(text, "question");
    EXPECT_FALSE(resolves_now(host->ended(1)));
    wait(process->write("answer", 6));
    process->shutdownWrite();
    char other[20] = {};
    EXPECT_EQ(wait(user->tryRead(other, sizeof other, sizeof other)), 6U);
    EXPECT_STREQ(other, "answer");
    wait(host->ended(1));
    wait(guest->ended(1));
}

TEST_F(Relay, a_socket_whose_peer_left_ends_the_stream_on_both_sides) {
    FdPair at_guest = make_sockets(), at_host = make_sockets();
    guest->attach(1, duplicate(at_guest.write), duplicate(at_guest.write));
    host->attach(1, duplicate(at_host.write), duplicate(at_host.write));
    at_host.write.reset();
    at_guest.write.reset();
    settle();
    ASSERT_EQ(write(at_host.read.get(), "bye", 3), 3);
    at_host.read.reset();
    auto process = stream(at_guest.read);
    char text[20] = {};
    EXPECT_EQ(wait(process->tryRead(text, sizeof text, sizeof text)), 3U);
    wait(host->ended(1));
    wait(guest->ended(1));
}

TEST_F(Relay, a_socket_whose_reader_left_gives_epipe_although_duplicates_stay_open) {
    FdPair at_guest = make_sockets(), out_host = make_pipe();
    guest->attach(1, duplicate(at_guest.write), {});
    host->attach(1, {}, std::move(out_host.write));
    settle();
    out_host.read.reset();
    settle();
    EXPECT_EQ(send(at_guest.read.get(), "x", 1, MSG_NOSIGNAL), -1);
    EXPECT_EQ(errno, EPIPE);
}

struct Terminal {
    os::Fd master, slave;
    Terminal() {
        int ends[2] = {-1, -1};
        termios raw{};
        cfmakeraw(&raw);
        EXPECT_EQ(openpty(&ends[0], &ends[1], nullptr, &raw, nullptr), 0);
        master = os::Fd(ends[0]);
        slave = os::Fd(ends[1]);
    }
};

TEST_F(Relay, a_terminals_eio_is_end_of_file_and_all_output_came_before) {
    Terminal terminal;
    FdPair at_host = make_sockets();
    guest->attach(1, duplicate(terminal.master), duplicate(terminal.master));
    host->attach(1, duplicate(at_host.write), duplicate(at_host.write));
    auto output = consume(1, std::move(at_host.read)).eagerlyEvaluate(nullptr);
    wait(produce(1, std::move(terminal.slave), 200000)); // and closes: the process has ended
    EXPECT_EQ(wait(kj::mv(output)), 200000U);
    wait(guest->ended(1));
    wait(host->ended(1));
    EXPECT_EQ(guest->bytes_promised(1), 200000U);
}

TEST_F(Relay, a_terminal_takes_more_input_than_it_holds) {
    Terminal terminal;
    FdPair in_host = make_pipe();
    guest->attach(1, duplicate(terminal.master), duplicate(terminal.master));
    host->attach(1, std::move(in_host.read), {});
    auto input = produce(1, std::move(in_host.write), mib).eagerlyEvaluate(nullptr);
    settle(); // until everything is full
    auto process = stream(terminal.slave);
    std::vector<uint8_t> bytes(mib);
    EXPECT_EQ(wait(process->tryRead(bytes.data(), bytes.size(), bytes.size())), mib);
    for (uint64_t i = 0; i < mib; ++i)
        ASSERT_EQ(bytes[i], pattern(1, i)) << "at byte " << i;
}

TEST_F(Relay, bytes_promised_is_exact_once_the_writer_has_gone) {
    FdPair out_guest = make_pipe(), out_host = make_pipe();
    guest->attach(1, std::move(out_guest.read), {});
    host->attach(1, {}, duplicate(out_host.write));
    EXPECT_EQ(guest->bytes_promised(1), 0U);
    ASSERT_EQ(write(out_guest.write.get(), "12345", 5), 5);
    EXPECT_EQ(guest->bytes_promised(1), 5U) << "before it was read";
    settle();
    EXPECT_EQ(guest->bytes_promised(1), 5U) << "and after";
    wait(produce(1, duplicate(out_guest.write), stream_window_bytes)); // as much as fits without a reader
    out_guest.write.reset();
    out_host.write.reset();
    uint64_t promised = guest->bytes_promised(1);
    EXPECT_EQ(promised, 5 + stream_window_bytes);
    auto all = stream(out_host.read);
    std::vector<uint8_t> bytes(2 * stream_window_bytes);
    EXPECT_EQ(wait(all->tryRead(bytes.data(), bytes.size(), bytes.size())), promised);
    wait(guest->ended(1));
    EXPECT_EQ(guest->bytes_promised(1), promised);
    guest->detach(1);
    EXPECT_EQ(guest->bytes_promised(1), 0U);
}

TEST_F(Relay, detach_closes_descriptors_and_ends_the_wait) {
    FdPair in_host = make_pipe(), in_guest = make_pipe();
    host->attach(1, std::move(in_host.read), {});
    guest->attach(1, {}, std::move(in_guest.write));
    auto process = stream(in_guest.read);
    auto ended = guest->ended(1);
    guest->detach(1);
    wait(kj::mv(ended));
    wait(guest->ended(1));
    char byte = 0;
    EXPECT_EQ(wait(process->tryRead(&byte, 1, 1)), 0U);
    ASSERT_EQ(write(in_host.write.get(), "lost", 4), 4);
    settle();
    EXPECT_EQ(host_error + guest_error, "");
}

TEST_F(Relay, ended_means_that_detach_loses_nothing) {
    for (StreamId id = 1; id <= 50; ++id) {
        FdPair out_guest = make_pipe(), out_host = make_pipe();
        host->attach(id, {}, std::move(out_host.write));
        guest->attach(id, std::move(out_guest.read), {});
        auto detached = guest->ended(id).then([this, id] { guest->detach(id); }).eagerlyEvaluate(nullptr);
        wait(produce(id, std::move(out_guest.write), 1000 * id));
        EXPECT_EQ(wait(consume(id, std::move(out_host.read))), 1000 * id);
        wait(host->ended(id));
        wait(kj::mv(detached));
        host->detach(id);
    }
}

TEST_F(Relay, refuses_what_it_cannot_watch_and_ids_in_use) {
    os::Fd file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    EXPECT_ANY_THROW(host->attach(1, std::move(file), {}));
    FdPair pipe = make_pipe();
    host->attach(1, std::move(pipe.read), {});
    EXPECT_ANY_THROW(host->attach(1, {}, std::move(pipe.write)));
}

TEST_F(Relay, run_fails_when_the_port_closes) {
    guest_run = nullptr;
    guest.reset();
    wait(kj::mv(host_run));
    EXPECT_NE(host_error.find("closed by its other side"), std::string::npos) << host_error;
}

TEST_F(Relay, run_fails_when_the_relay_goes_first) {
    host.reset();
    wait(kj::mv(host_run));
    EXPECT_NE(host_error, "");
}

TEST_F(Relay, many_streams_share_the_port) {
    constexpr StreamId streams = 100;
    auto readers = kj::heapArrayBuilder<kj::Promise<uint64_t>>(streams);
    auto writers = kj::heapArrayBuilder<kj::Promise<void>>(streams);
    for (StreamId id = 1; id <= streams; ++id) {
        FdPair at_guest = make_pipe(), at_host = make_pipe();
        host->attach(id, {}, std::move(at_host.write));
        guest->attach(id, std::move(at_guest.read), {});
        writers.add(produce(id, std::move(at_guest.write), 3000 * id).eagerlyEvaluate(nullptr));
        readers.add(consume(id, std::move(at_host.read)).eagerlyEvaluate(nullptr));
    }
    wait(kj::joinPromises(writers.finish()));
    auto totals = wait(kj::joinPromises(readers.finish()));
    for (StreamId id = 1; id <= streams; ++id)
        EXPECT_EQ(totals[id - 1], 3000 * id);
}

// -- a peer that does not keep to the protocol

class RelayPeer : public RelayTest {
protected:
    RelayPeer() {
        FdPair port = make_sockets();
        relay = std::make_unique<StreamRelay>(events(), wrap_port(events(), std::move(port.read)));
        running = run(*relay, error);
        peer = wrap_port(events(), std::move(port.write));
    }
    ~RelayPeer() noexcept override {}
    void send(StreamId stream, FrameType type, uint32_t value, size_t payload = 0) {
        std::vector<uint8_t> bytes(frame_header_bytes + payload);
        std::memcpy(bytes.data(), &stream, 4);
        bytes[4] = static_cast<uint8_t>(type);
        std::memcpy(bytes.data() + 8, &value, 4);
        wait(peer->write(bytes.data(), bytes.size()));
    }
    std::unique_ptr<StreamRelay> relay;
    std::string error;
    kj::Promise<void> running = nullptr;
    kj::Own<kj::AsyncIoStream> peer;
};

TEST_F(RelayPeer, a_violation_fails_the_run_and_is_named) {
    FdPair out = make_pipe();
    relay->attach(7, {}, std::move(out.write));
    send(7, FrameType::attached, 0);
    for (int i = 0; i < 4; ++i)
        send(7, FrameType::data, max_frame_bytes, max_frame_bytes); // a whole window
    settle();
    EXPECT_EQ(error, "");
    send(7, FrameType::data, 1, 1);
    wait(kj::mv(running));
    EXPECT_EQ(error, "the peer broke the stream protocol: stream 7: 1 bytes of data with a credit of 0");
}

TEST_F(RelayPeer, garbage_fails_the_run) {
    std::string text = "HTTP/1.1 400 Bad Request\r\n\r\n";
    wait(peer->write(text.data(), text.size()));
    wait(kj::mv(running));
    EXPECT_NE(error.find("unknown type"), std::string::npos) << error;
}

TEST_F(RelayPeer, a_flood_of_frames_for_unknown_streams_blocks_nothing) {
    std::vector<uint8_t> flood;
    for (uint32_t i = 0; i < 5000; ++i) {
        std::vector<uint8_t> bytes(frame_header_bytes);
        std::memcpy(bytes.data(), &i, 4);
        bytes[4] = static_cast<uint8_t>(FrameType::end);
        flood.insert(flood.end(), bytes.begin(), bytes.end());
    }
    std::function<kj::Promise<void>()> write = [&] {
        return peer->write(flood.data(), flood.size()).then([&] { return write(); });
    };
    auto flooding = write().eagerlyEvaluate(nullptr);
    wait(timer().afterDelay(30 * kj::MILLISECONDS)); // a timer fires although the port is never empty
    EXPECT_EQ(error, "");
}

TEST_F(RelayPeer, a_peer_that_never_reads_stops_only_the_sources) {
    FdPair in = make_pipe(), out = make_pipe();
    relay->attach(1, std::move(in.read), {});
    relay->attach(2, {}, std::move(out.write));
    send(1, FrameType::attached, 1);
    send(2, FrameType::attached, 1);
    auto writing = produce(1, std::move(in.write), 10 * mib).eagerlyEvaluate(nullptr);
    for (int i = 0; i < 4; ++i) {
        send(2, FrameType::data, 5, 5);
        char text[5];
        auto end = stream(out.read);
        EXPECT_EQ(wait(end->tryRead(text, 5, 5)), 5U);
    }
    EXPECT_FALSE(resolves_now(kj::mv(writing)));
}

} // namespace
} // namespace runvm::channel
