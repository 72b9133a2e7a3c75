#include "channel/relay.h"

#include "channel/mux.h"
#include "channel/stream_fd.h"

#include <kj/debug.h>

#include <algorithm>
#include <deque>
#include <string>
#include <unordered_map>

namespace runvm::channel {
namespace {

constexpr size_t receive_buffer_bytes = 128U << 10U;
constexpr size_t send_buffer_bytes = 128U << 10U;
// A frame of 64 KiB with its header: a virtio port takes 32 KiB a write (drivers/char/virtio_console.c,
// port_fops_write), and each write is a costly kick of the hypervisor, one for the last few bytes too.
constexpr size_t max_payload_bytes = max_frame_bytes - frame_header_bytes;

/// Wakes a loop; a call while nobody waits is remembered.
class Wakeup {
public:
    void set() {
        set_ = true;
        KJ_IF_MAYBE (waiter, waiter_)
            (*waiter)->fulfill();
        waiter_ = nullptr;
    }

    kj::Promise<void> wait() {
        if (set_) {
            set_ = false;
            return kj::READY_NOW;
        }
        auto pair = kj::newPromiseAndFulfiller<void>();
        waiter_ = kj::mv(pair.fulfiller);
        return pair.promise.then([this] { set_ = false; });
    }

private:
    bool set_ = false;
    kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> waiter_;
};

struct Stream {
    std::unique_ptr<StreamSource> source;
    std::unique_ptr<StreamSink> sink;
    bool has_sink = false; // from the start
    bool queued = false;   // in Impl::readable_
    kj::Own<kj::PromiseFulfiller<void>> ended_fulfiller;
    kj::ForkedPromise<void> ended = nullptr;
};

} // namespace

// Three loops: one reads the port and writes the sinks, one reads the sources and writes the port, and one
// goes on with sinks that were full. What a descriptor's event does is only to queue the stream and to wake a
// loop: a promise must not be destroyed by its own continuation, and closing a descriptor destroys its
// promises.
class StreamRelay::Impl final : private MuxEvents {
public:
    Impl(kj::UnixEventPort& event_port, kj::Own<kj::AsyncIoStream> port)
        : event_port_(event_port), port_(kj::mv(port)) {}

    void attach(StreamId id, os::Fd source, os::Fd sink) {
        if (mux_.attached(id))
            kj::throwFatalException(KJ_EXCEPTION(FAILED, "the stream is attached already", id));
        auto stream = std::make_unique<Stream>();
        auto pair = kj::newPromiseAndFulfiller<void>();
        stream->ended_fulfiller = kj::mv(pair.fulfiller);
        stream->ended = pair.promise.fork();
        if (source)
            stream->source = std::make_unique<StreamSource>(event_port_, std::move(source));
        stream->has_sink = static_cast<bool>(sink);
        if (sink) {
            stream->sink = std::make_unique<StreamSink>(event_port_, std::move(sink), [this, id] {
                flushable_.push_back(id);
                flush_wakeup_.set();
            });
        }
        bool has_source = stream->source != nullptr;
        streams_[id] = std::move(stream);
        mux_.attach(id);
        if (!has_source)
            mux_.end(id);
        wake_sender();
    }

    uint64_t bytes_promised(StreamId id) const {
        auto found = streams_.find(id);
        if (found == streams_.end())
            return 0;
        const auto& source = found->second->source;
        return mux_.bytes_sent(id) + (source ? source->pending_bytes() : 0);
    }

    kj::Promise<void> ended(StreamId id) {
        Stream* stream = find(id);
        if (stream == nullptr)
            return kj::READY_NOW;
        return stream->ended.addBranch();
    }

    void detach(StreamId id) {
        Stream* stream = find(id);
        if (stream == nullptr)
            return;
        stream->ended_fulfiller->fulfill();
        streams_.erase(id);
        mux_.detach(id);
    }

    kj::Promise<void> run() {
        return canceler_.wrap(receive_loop().exclusiveJoin(send_loop()).exclusiveJoin(flush_loop()));
    }

private:
    Stream* find(StreamId id) {
        auto found = streams_.find(id);
        return found == streams_.end() ? nullptr : found->second.get();
    }

    void wake_sender() {
        if (mux_.has_output() || !readable_.empty())
            send_wakeup_.set();
    }

    // -- from the port to the sinks

    kj::Promise<void> receive_loop() {
        return port_->tryRead(receive_buffer_.begin(), 1, receive_buffer_.size())
            .then([this](size_t n) -> kj::Promise<void> {
                if (n == 0)
                    return KJ_EXCEPTION(DISCONNECTED, "the stream port was closed by its other side");
                auto result = mux_.receive({receive_buffer_.begin(), n}, *this);
                if (!result)
                    return kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                                         kj::heapString(result.error().to_string().c_str()));
                wake_sender();
                return receive_loop();
            });
    }

    void on_data(StreamId id, std::span<const uint8_t> bytes) override {
        Stream& stream = *find(id);
        if (!stream.sink) {
            mux_.reset(id); // the sink was never there: nobody takes this
            return;
        }
        mux_.consumed(id, static_cast<uint32_t>(stream.sink->write(bytes)));
        settle_sink(id, stream);
    }

    void on_end(StreamId id) override { settle_sink(id, *find(id)); }

    void on_reset(StreamId id) override {
        Stream& stream = *find(id);
        if (stream.source)
            stream.source->shut_down();
        stream.source.reset();
        check_ended(id, stream);
    }

    void on_progress(StreamId id) override {
        Stream& stream = *find(id);
        queue_source(id, stream);
        check_ended(id, stream);
    }

    /// Closes the sink if its reader has gone, or if the peer's half is over and all of it was written.
    void settle_sink(StreamId id, Stream& stream) {
        if (!stream.sink)
            return check_ended(id, stream);
        if (stream.sink->broken()) {
            mux_.reset(id);
        } else if (mux_.receiving_over(id) && stream.sink->empty()) {
            stream.sink->shut_down();
        } else {
            return;
        }
        stream.sink.reset();
        check_ended(id, stream);
    }

    void check_ended(StreamId id, Stream& stream) {
        bool receiving_over = !stream.sink && (!stream.has_sink || mux_.receiving_over(id));
        bool sending_over = !stream.source && mux_.sending_over(id);
        if (receiving_over && sending_over)
            stream.ended_fulfiller->fulfill();
    }

    kj::Promise<void> flush_loop() {
        return flush_wakeup_.wait().then([this] {
            for (StreamId id : std::exchange(flushable_, {})) {
                Stream* stream = find(id);
                if (stream == nullptr || !stream->sink)
                    continue;
                mux_.consumed(id, static_cast<uint32_t>(stream->sink->flush()));
                settle_sink(id, *stream);
            }
            wake_sender();
            return flush_loop();
        });
    }

    // -- from the sources to the port

    void queue_source(StreamId id, Stream& stream) {
        if (!stream.source || stream.source->waiting() || stream.queued)
            return;
        stream.queued = true;
        readable_.push_back(id);
    }

    kj::Promise<void> send_loop() {
        size_t filled = read_sources();
        frames_ = mux_.take_output(); // behind the data: an `end` must come last
        if (filled == 0 && frames_.empty())
            return send_wakeup_.wait().then([this] { return send_loop(); });
        pieces_[0] = kj::arrayPtr(send_buffer_.begin(), filled);
        pieces_[1] = kj::arrayPtr(frames_.data(), frames_.size());
        return port_->write(kj::arrayPtr(pieces_, 2)).then([this] { return send_loop(); });
    }

    /// Reads each source that is ready once, right behind the place of its frame's header. Returns the bytes
    /// of all frames. A source that had bytes is read again in the next round, after these have gone out.
    size_t read_sources() {
        size_t filled = 0;
        for (size_t left = readable_.size(); left > 0 && send_buffer_.size() - filled > frame_header_bytes;
             --left) {
            StreamId id = readable_.front();
            readable_.pop_front();
            Stream* stream = find(id);
            if (stream == nullptr || !stream->source)
                continue;
            stream->queued = false;
            size_t room = std::min<size_t>(
                {mux_.sendable(id), max_payload_bytes, send_buffer_.size() - filled - frame_header_bytes});
            if (room == 0)
                continue; // on_progress queues it again
            uint8_t* header = send_buffer_.begin() + filled;
            auto [status, bytes] = stream->source->read(header + frame_header_bytes, room);
            switch (status) {
            case StreamSource::Status::bytes:
                mux_.begin_data(id, static_cast<uint32_t>(bytes),
                                std::span<uint8_t, frame_header_bytes>(header, frame_header_bytes));
                filled += frame_header_bytes + bytes;
                queue_source(id, *stream);
                break;
            case StreamSource::Status::empty:
                stream->source->when_readable([this, id] {
                    if (Stream* readable = find(id))
                        queue_source(id, *readable);
                    wake_sender();
                });
                break;
            case StreamSource::Status::end:
                stream->source.reset();
                mux_.end(id);
                check_ended(id, *stream);
                break;
            }
        }
        return filled;
    }

    kj::UnixEventPort& event_port_;
    kj::Own<kj::AsyncIoStream> port_;
    Mux mux_;
    std::unordered_map<StreamId, std::unique_ptr<Stream>> streams_;
    std::deque<StreamId> readable_;   // sources that may have bytes and may send them
    std::vector<StreamId> flushable_; // sinks whose state changed
    Wakeup send_wakeup_;
    Wakeup flush_wakeup_;
    kj::Array<kj::byte> receive_buffer_ = kj::heapArray<kj::byte>(receive_buffer_bytes);
    kj::Array<kj::byte> send_buffer_ = kj::heapArray<kj::byte>(send_buffer_bytes);
    std::vector<uint8_t> frames_; // without payload, being written
    kj::ArrayPtr<const kj::byte> pieces_[2];
    kj::Canceler canceler_; // last: what runs ends before what it uses
};

StreamRelay::StreamRelay(kj::UnixEventPort& event_port, kj::Own<kj::AsyncIoStream> port)
    : impl_(std::make_unique<Impl>(event_port, kj::mv(port))) {}
StreamRelay::~StreamRelay() = default;

void StreamRelay::attach(StreamId id, os::Fd source, os::Fd sink) {
    impl_->attach(id, std::move(source), std::move(sink));
}
uint64_t StreamRelay::bytes_promised(StreamId id) const {
    return impl_->bytes_promised(id);
}
kj::Promise<void> StreamRelay::ended(StreamId id) {
    return impl_->ended(id);
}
void StreamRelay::detach(StreamId id) {
    impl_->detach(id);
}
kj::Promise<void> StreamRelay::run() {
    return impl_->run();
}

} // namespace runvm::channel
