#pragma once
// A hostile guest's side of the ports.

#include "hostile_agent.h"

#include "channel/checked_messages.h"
#include "channel/mux.h"
#include "channel/port.h"
#include "os/fd.h"

#include <capnp/message.h>
#include <capnp/rpc-twoparty.h>
#include <capnp/serialize.h>
#include <kj/async-io.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <vector>

namespace runvm::fuzz {

/// The host asks and has nothing to answer: answers are kept for as long as the guest likes.
inline void require_question(capnp::rpc::Message::Reader message) {
    require(message.which() != capnp::rpc::Message::RETURN &&
                message.which() != capnp::rpc::Message::UNIMPLEMENTED,
            "the host answers nothing");
}

/// The guest's ends of both ports. What is on the control port comes from a server whose messages may be
/// changed on their way, or is bytes alone.
class HostileGuest {
public:
    HostileGuest(kj::AsyncIoContext& io, FuzzedDataProvider& choices, os::Fd control, os::Fd streams)
        : choices_(choices), streams_(std::move(streams)) {
        constexpr int bytes_alone = 1;
        // The kernel gives what it allows, which is more than a stream's window.
        constexpr int most_under_way = 1 << 20;
        (void)::setsockopt(streams_.get(), SOL_SOCKET, SO_SNDBUF, &most_under_way, sizeof most_under_way);
        deaf_ = choices_.ConsumeIntegralInRange(0, 7) == 1;
        control_fd_ = control.get();
        control_ = channel::wrap_port(io.unixEventPort, std::move(control));
        if (choices_.ConsumeIntegralInRange(0, 3) == bytes_alone)
            return;
        auto agent = kj::heap<HostileAgent>(choices_);
        agent_ = agent.get();
        server_ = kj::heap<Server>(*control_, choices_, kj::mv(agent));
    }

    /// Reads what the host sent, which nobody wants. False when there was nothing.
    bool drain() {
        bool any = drain(streams_.get());
        return (server_.get() == nullptr && control_.get() != nullptr && drain(control_fd_)) || any;
    }

    void act() {
        switch (choices_.ConsumeIntegralInRange(0, 9)) {
        case 0:
            if (agent_ != nullptr)
                agent_->answer_one();
            break;
        case 1:
            if (agent_ != nullptr)
                agent_->answer_unasked();
            break;
        case 2:
            send(control_fd_,
                 choices_.ConsumeBytes<uint8_t>(choices_.ConsumeIntegralInRange<size_t>(0, 256)));
            break;
        case 3:
            send(streams_.get(),
                 choices_.ConsumeBytes<uint8_t>(choices_.ConsumeIntegralInRange<size_t>(0, 64)));
            break;
        case 4:
            flood();
            break;
        case 5:
            close_control();
            break;
        case 6:
            streams_ = {};
            break;
        case 7:
            send(control_fd_, question());
            break;
        case 8:
            send_often(frame());
            break;
        default:
            send(streams_.get(), frame());
            break;
        }
    }

    void close() {
        close_control();
        streams_ = {};
    }

private:
    struct Server {
        Server(kj::AsyncIoStream& stream, FuzzedDataProvider& choices, kj::Own<HostileAgent> agent)
            : messages(kj::heap<channel::CheckedMessages>(stream, require_question), choices),
              network(messages, capnp::rpc::twoparty::Side::SERVER),
              rpc(capnp::makeRpcServer(network, protocol::Agent::Client(kj::mv(agent)))) {}

        MangledMessages messages;
        capnp::TwoPartyVatNetwork network;
        capnp::RpcSystem<capnp::rpc::twoparty::VatId> rpc;
    };

    bool drain(int fd) const {
        std::array<uint8_t, 4096> buffer;
        bool any = false;
        while (!deaf_ && ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT) > 0)
            any = true;
        return any;
    }

    static void send(int fd, const std::vector<uint8_t>& bytes) {
        // What does not fit is lost.
        (void)::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    }

    /// More than a stream's window, too.
    void send_often(const std::vector<uint8_t>& bytes) {
        for (int times = choices_.ConsumeIntegralInRange(1, 8); times > 0; --times)
            send(streams_.get(), bytes);
    }

    /// A frame that is nearly right.
    std::vector<uint8_t> frame() {
        auto value = choices_.ConsumeIntegralInRange<uint32_t>(0, 70000);
        std::vector<uint8_t> bytes(channel::frame_header_bytes);
        bytes[0] = choices_.ConsumeIntegralInRange<uint8_t>(0, 8);
        bytes[4] = choices_.ConsumeIntegralInRange<uint8_t>(1, 6);
        bytes[8] = static_cast<uint8_t>(value);
        bytes[9] = static_cast<uint8_t>(value >> 8U);
        bytes[10] = static_cast<uint8_t>(value >> 16U);
        if (bytes[4] == static_cast<uint8_t>(channel::FrameType::data))
            bytes.resize(bytes.size() + value, 'x');
        return bytes;
    }

    /// The host has no bootstrap and no capability that could be called.
    std::vector<uint8_t> question() {
        capnp::MallocMessageBuilder message;
        auto root = message.initRoot<capnp::rpc::Message>();
        auto id = choices_.ConsumeIntegral<uint8_t>();
        if (choices_.ConsumeBool())
            root.initBootstrap().setQuestionId(id);
        else
            root.initCall().setQuestionId(id);
        auto words = capnp::messageToFlatArray(message);
        auto bytes = words.asBytes();
        return {bytes.begin(), bytes.end()};
    }

    void flood() {
        int fd = choices_.ConsumeBool() ? control_fd_ : streams_.get();
        auto piece = choices_.ConsumeBytes<uint8_t>(choices_.ConsumeIntegralInRange<size_t>(0, 64));
        std::vector<uint8_t> bytes;
        for (auto times = choices_.ConsumeIntegralInRange<size_t>(0, 1000); times > 0; --times)
            bytes.insert(bytes.end(), piece.begin(), piece.end());
        send(fd, bytes);
    }

    void close_control() {
        server_ = nullptr;
        agent_ = nullptr;
        control_ = nullptr;
        control_fd_ = -1;
    }

    FuzzedDataProvider& choices_;
    os::Fd streams_;
    kj::Own<kj::AsyncIoStream> control_;
    int control_fd_ = -1;
    HostileAgent* agent_ = nullptr; ///< the server's
    kj::Own<Server> server_;
    bool deaf_ = false;
};

} // namespace runvm::fuzz
