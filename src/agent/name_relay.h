#pragma once
// Listens in the place of a resolver of the host's namespace, hands queries to the host, and answers back.

#include "core/result.h"
#include "os/fd.h"

#include <kj/async-io.h>
#include <kj/async-unix.h>
#include <kj/timer.h>

#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace runvm::agent {

class NameRelay final : private kj::TaskSet::ErrorHandler {
public:
    struct Query {
        uint32_t id = 0;
        bool over_tcp = false;
        std::string message;
    };

    /// Who asks more gets no answer until others have theirs: containers are not to fill the agent's memory.
    static constexpr size_t most_pending = 256;
    static constexpr size_t most_connections = 64;

    explicit NameRelay(kj::UnixEventPort& event_port);
    ~NameRelay() noexcept(false);
    KJ_DISALLOW_COPY(NameRelay);

    /// Listens at the resolver's address, UDP and TCP, at a port that the kernel chooses, in the network
    /// namespace that the calling thread is in. A second call changes nothing.
    Result<uint16_t> listen();

    /// Queries that have not been handed out yet; at least one. One call at a time.
    kj::Promise<std::vector<Query>> next();
    /// `message`: empty if there is none. One that nobody waits for is dropped.
    void answer(uint32_t id, std::string message);

private:
    struct Listener {
        Listener(kj::UnixEventPort& event_port, os::Fd socket);
        os::Fd fd; // outlives observer
        kj::UnixEventPort::FdObserver observer;
    };
    /// Who waits for an answer.
    struct Asker {
        kj::TimePoint deadline;
        sockaddr_in datagram_from{};
        kj::Own<kj::PromiseFulfiller<std::string>> connection; ///< null: it came as a datagram
    };

    void taskFailed(kj::Exception&& exception) override;
    Result<uint16_t> listen_at(uint16_t port);
    kj::Promise<void> receive();
    kj::Promise<void> accept();
    kj::Promise<void> serve(kj::AsyncIoStream& connection);
    kj::Promise<std::string> ask(std::string message);
    void add(std::string message, Asker asker);
    void forget_late();
    std::vector<Query> take();

    kj::UnixEventPort& event_port_;
    kj::Timer& timer_;
    uint16_t port_ = 0; ///< 0: it does not listen yet
    kj::Own<Listener> datagrams_;
    kj::Own<Listener> connections_;
    size_t connection_count_ = 0;
    uint32_t next_id_ = 1;
    std::map<uint32_t, Asker> askers_;
    std::deque<Query> queued_; ///< of some in askers_, and of some that are there no more
    kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> waiting_;
    kj::TaskSet tasks_;
};

} // namespace runvm::agent
