#include "agent/name_relay.h"

#include "agent/console.h"
#include "channel/name_messages.h"
#include "channel/port.h"
#include "network/resolver.h"
#include "protocol/agent.capnp.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>

namespace runvm::agent {

namespace {

// Longer than the host waits for the resolver (query_resolver).
constexpr auto answer_limit = 15 * kj::SECONDS;
// What a client may take for its next query (RFC 7766, 6.2.3: some seconds).
constexpr auto idle_limit = 30 * kj::SECONDS;
constexpr int backlog = 64;
constexpr int most_ports_tried = 16;
// So much comes in before others have their turn.
constexpr int most_datagrams_a_turn = 32;

Result<os::Fd> bind_at(int type, uint16_t port) {
    os::Fd socket(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket)
        return system_error("open a socket for name queries");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(network::resolver_address);
    // lo may have none of its usual addresses.
    int on = 1;
    ::setsockopt(socket.get(), IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        return system_error("bind a socket for name queries");
    return socket;
}

Result<uint16_t> port_of(int socket) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        return system_error("look at a socket for name queries");
    return ntohs(address.sin_port);
}

} // namespace

NameRelay::Listener::Listener(kj::UnixEventPort& event_port, os::Fd socket)
    : fd(std::move(socket)), observer(event_port, fd.get(), kj::UnixEventPort::FdObserver::OBSERVE_READ) {}

NameRelay::NameRelay(kj::UnixEventPort& event_port)
    : event_port_(event_port), timer_(event_port.getTimer()), tasks_(*this) {}

NameRelay::~NameRelay() noexcept(false) = default;

void NameRelay::taskFailed(kj::Exception&& exception) {
    log_line(std::string("names are not relayed any more: ") + exception.getDescription().cStr());
}

// Both at one number, which is free for the one and may not be for the other.
Result<uint16_t> NameRelay::listen() {
    if (port_ != 0)
        return port_;
    Result<uint16_t> listening = listen_at(0);
    for (int i = 1; i < most_ports_tried && !listening && listening.error().errno_value() == EADDRINUSE; ++i)
        listening = listen_at(0);
    if (!listening)
        return listening;
    port_ = *listening;
    tasks_.add(receive());
    tasks_.add(accept());
    return port_;
}

Result<uint16_t> NameRelay::listen_at(uint16_t port) {
    RUNVM_ASSIGN(os::Fd datagrams, bind_at(SOCK_DGRAM, port));
    RUNVM_ASSIGN(uint16_t chosen, port_of(datagrams.get()));
    RUNVM_ASSIGN(os::Fd connections, bind_at(SOCK_STREAM, chosen));
    if (::listen(connections.get(), backlog) != 0)
        return system_error("listen for name queries");
    datagrams_ = kj::heap<Listener>(event_port_, std::move(datagrams));
    connections_ = kj::heap<Listener>(event_port_, std::move(connections));
    return chosen;
}

kj::Promise<void> NameRelay::receive() {
    std::string message(channel::largest_name_message, '\0');
    for (int i = 0; i < most_datagrams_a_turn; ++i) {
        Asker asker{timer_.now() + answer_limit, {}, {}};
        socklen_t size = sizeof asker.datagram_from;
        ssize_t got = ::recvfrom(datagrams_->fd.get(), message.data(), message.size(), 0,
                                 reinterpret_cast<sockaddr*>(&asker.datagram_from), &size);
        if (got < 0 && errno == EAGAIN)
            return datagrams_->observer.whenBecomesReadable().then([this] { return receive(); });
        if (got > 0) // any other error is one of an earlier answer: nobody was there
            add(message.substr(0, static_cast<size_t>(got)), kj::mv(asker));
    }
    return timer_.afterDelay(0 * kj::NANOSECONDS).then([this] { return receive(); });
}

kj::Promise<void> NameRelay::accept() {
    os::Fd socket(::accept4(connections_->fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket && errno == EAGAIN)
        return connections_->observer.whenBecomesReadable().then([this] { return accept(); });
    if (socket && connection_count_ < most_connections) {
        ++connection_count_;
        auto connection = channel::wrap_port(event_port_, std::move(socket));
        auto served = serve(*connection).attach(kj::mv(connection));
        // What breaks is this connection only.
        tasks_.add(served.catch_([](kj::Exception&&) {}).then([this] { --connection_count_; }));
    }
    return timer_.afterDelay(0 * kj::NANOSECONDS).then([this] { return accept(); });
}

kj::Promise<void> NameRelay::serve(kj::AsyncIoStream& connection) {
    return timer_.timeoutAfter(idle_limit, channel::read_name_message(connection))
        .then([this, &connection](std::string&& message) -> kj::Promise<void> {
            if (message.empty())
                return kj::READY_NOW;
            return timer_.timeoutAfter(answer_limit, ask(std::move(message)))
                .then([this, &connection](std::string&& answer) -> kj::Promise<void> {
                    if (answer.empty())
                        return kj::READY_NOW;
                    return timer_
                        .timeoutAfter(idle_limit, channel::write_name_message(connection, std::move(answer)))
                        .then([this, &connection] { return serve(connection); });
                });
        });
}

kj::Promise<std::string> NameRelay::ask(std::string message) {
    auto pair = kj::newPromiseAndFulfiller<std::string>();
    add(std::move(message), {timer_.now() + answer_limit, {}, kj::mv(pair.fulfiller)});
    return kj::mv(pair.promise);
}

// An asker that is not kept is told by the end of its fulfiller.
void NameRelay::add(std::string message, Asker asker) {
    forget_late();
    if (askers_.size() >= most_pending || queued_.size() >= most_pending)
        return;
    bool over_tcp = asker.connection.get() != nullptr;
    uint32_t id = next_id_++;
    askers_.insert_or_assign(id, kj::mv(asker));
    queued_.push_back({id, over_tcp, std::move(message)});
    KJ_IF_MAYBE (waiting, waiting_) {
        (*waiting)->fulfill();
        waiting_ = nullptr;
    }
}

void NameRelay::forget_late() {
    auto now = timer_.now();
    std::erase_if(askers_, [&](const auto& asker) { return asker.second.deadline <= now; });
    std::erase_if(queued_, [&](const Query& query) { return askers_.count(query.id) == 0; });
}

kj::Promise<std::vector<NameRelay::Query>> NameRelay::next() {
    forget_late();
    if (!queued_.empty())
        return take();
    auto pair = kj::newPromiseAndFulfiller<void>();
    waiting_ = kj::mv(pair.fulfiller);
    return pair.promise.then([this] { return next(); });
}

std::vector<NameRelay::Query> NameRelay::take() {
    std::vector<Query> taken;
    while (!queued_.empty() && taken.size() < protocol::MAX_NAME_QUERIES) {
        taken.push_back(std::move(queued_.front()));
        queued_.pop_front();
    }
    return taken;
}

void NameRelay::answer(uint32_t id, std::string message) {
    auto found = askers_.extract(id);
    if (found.empty() || message.size() > channel::largest_name_message)
        return;
    Asker& asker = found.mapped();
    if (asker.connection.get() != nullptr)
        asker.connection->fulfill(std::move(message));
    else if (!message.empty())
        // One that does not fit is lost, as datagrams are.
        (void)::sendto(datagrams_->fd.get(), message.data(), message.size(), MSG_NOSIGNAL,
                       reinterpret_cast<const sockaddr*>(&asker.datagram_from), sizeof asker.datagram_from);
}

} // namespace runvm::agent
