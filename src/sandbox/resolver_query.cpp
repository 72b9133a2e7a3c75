#include "sandbox/resolver_query.h"

#include "channel/name_messages.h"
#include "channel/port.h"
#include "channel/rpc_error.h"

#include <sys/socket.h>

namespace runvm::sandbox {

namespace {

// Docker's resolver asks up to three servers for 4 s each (libnetwork's resolver.go); who asks has mostly
// given up by then.
constexpr auto limit = 12 * kj::SECONDS;

using Answer = Result<std::string>;

class Datagrams {
public:
    Datagrams(kj::UnixEventPort& event_port, os::Fd socket)
        : socket_(std::move(socket)),
          observer_(event_port, socket_.get(), kj::UnixEventPort::FdObserver::OBSERVE_READ) {}

    kj::Promise<Answer> ask(const std::string& message) {
        if (::send(socket_.get(), message.data(), message.size(), 0) < 0)
            return Answer(system_error("ask the resolver"));
        return receive();
    }

private:
    kj::Promise<Answer> receive() {
        std::string answer(channel::largest_name_message, '\0');
        ssize_t size = ::recv(socket_.get(), answer.data(), answer.size(), 0);
        if (size >= 0) {
            answer.resize(static_cast<size_t>(size));
            return Answer(std::move(answer));
        }
        if (errno != EAGAIN)
            return Answer(system_error("receive the resolver's answer"));
        return observer_.whenBecomesReadable().then([this] { return receive(); });
    }

    os::Fd socket_; // outlives observer_, which takes it out of the epoll set
    kj::UnixEventPort::FdObserver observer_;
};

kj::Promise<Answer> ask_over_tcp(kj::Own<kj::AsyncIoStream> stream, std::string message) {
    auto& connection = *stream;
    return channel::write_name_message(connection, std::move(message))
        .then([&connection] { return channel::read_name_message(connection); })
        .then([](std::string&& answer) -> Answer { return std::move(answer); })
        .attach(kj::mv(stream));
}

kj::Promise<Answer> ask_over_udp(kj::Own<Datagrams> datagrams, const std::string& message) {
    auto answer = datagrams->ask(message);
    return answer.attach(kj::mv(datagrams));
}

kj::Promise<Answer> within_limit(kj::Timer& timer, kj::Promise<Answer> answer) {
    return timer.timeoutAfter(limit, kj::mv(answer)).catch_([](kj::Exception&& exception) {
        return Answer(channel::from_exception(exception, "ask the resolver"));
    });
}

} // namespace

kj::Promise<Answer> query_resolver(kj::UnixEventPort& event_port, os::Fd socket, std::string message,
                                   bool over_tcp) {
    auto& timer = event_port.getTimer();
    if (over_tcp)
        return within_limit(
            timer, ask_over_tcp(channel::wrap_port(event_port, std::move(socket)), std::move(message)));
    return within_limit(timer, ask_over_udp(kj::heap<Datagrams>(event_port, std::move(socket)), message));
}

} // namespace runvm::sandbox
