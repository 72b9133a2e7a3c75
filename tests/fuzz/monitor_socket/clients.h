#pragma once
// Callers of the monitor's socket, and what they offer it.

#include "../support.h"

#include "os/fd.h"
#include "protocol/sandbox.capnp.h"

#include <capnp/rpc-twoparty.h>
#include <capnp/serialize-async.h>
#include <kj/async-io.h>
#include <kj/async.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace runvm::fuzz {

class Descriptor final : public protocol::Descriptor::Server {
public:
    explicit Descriptor(os::Fd fd) : fd_(std::move(fd)) {}
    kj::Maybe<int> getFd() override {
        if (fd_)
            return fd_.get();
        return nullptr;
    }

private:
    os::Fd fd_;
};

class Sink final : public protocol::EventSink::Server {
public:
    explicit Sink(int behaviour) : behaviour_(behaviour) {}
    kj::Promise<void> event(EventContext) override {
        switch (behaviour_) {
        case 1:
            return kj::NEVER_DONE;
        case 2:
            return KJ_EXCEPTION(FAILED, "no more events, please");
        default:
            return kj::READY_NOW;
        }
    }

private:
    int behaviour_;
};

/// A caller that speaks the protocol, more or less.
struct Client final : private kj::TaskSet::ErrorHandler {
    Client(kj::AsyncIoContext& io, FuzzedDataProvider& choices, os::Fd socket)
        : stream(io.lowLevelProvider->wrapUnixSocketFd(kj::AutoCloseFd(socket.release()))),
          messages(kj::heap<capnp::AsyncCapabilityMessageStream>(*stream), choices),
          network(messages, protocol::MAX_FDS_PER_MESSAGE, capnp::rpc::twoparty::Side::CLIENT),
          rpc(capnp::makeRpcClient(network)), service(bootstrap()) {}

    protocol::SandboxService::Client bootstrap() {
        capnp::MallocMessageBuilder message(8);
        auto vat = message.initRoot<capnp::rpc::twoparty::VatId>();
        vat.setSide(capnp::rpc::twoparty::Side::SERVER);
        return rpc.bootstrap(vat).castAs<protocol::SandboxService>();
    }

    /// Whether the monitor owes it an answer: it has got what was sent.
    bool is_owed_answers() const { return !messages.changed(); }

    int calls_under_way = 0;    ///< of those that end by themselves
    int execs_under_way = 0;    ///< they may wait for their container's resume
    int attaches_under_way = 0; ///< they may wait for a container that the sandbox's creator is about to make
    kj::TaskSet calls{*this};
    kj::Own<kj::AsyncCapabilityStream> stream;
    MangledMessages messages;
    capnp::TwoPartyVatNetwork network;
    capnp::RpcSystem<capnp::rpc::twoparty::VatId> rpc;
    protocol::SandboxService::Client service;
    kj::Maybe<protocol::Sandbox::Client> sandbox;
    kj::Maybe<protocol::AttachedProcess::Client> process;

private:
    void taskFailed(kj::Exception&&) override {} // its connection or message broke
};

/// One that has only bytes.
struct RawClient {
    os::Fd socket;

    void send(const std::vector<uint8_t>& bytes, const std::vector<os::Fd>& fds) const {
        std::array<uint8_t, CMSG_SPACE(sizeof(int) * 8)> control{};
        iovec piece{const_cast<uint8_t*>(bytes.data()), bytes.size()};
        msghdr message{};
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        if (!fds.empty()) {
            message.msg_control = control.data();
            message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
            cmsghdr* header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
            for (size_t i = 0; i < fds.size(); ++i)
                reinterpret_cast<int*>(CMSG_DATA(header))[i] = fds[i].get();
        }
        (void)::sendmsg(socket.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    void drain() const {
        std::array<uint8_t, 4096> buffer;
        while (::recv(socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0)
            ;
    }
};

} // namespace runvm::fuzz
