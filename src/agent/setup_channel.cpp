#include "agent/setup_channel.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

namespace runvm::agent {

namespace {

constexpr size_t max_message_bytes = 4096;
constexpr size_t max_steps = 16;

constexpr char terminal_tag = 'T';
constexpr char ready_tag = 'R';
constexpr char failed_tag = 'F';
constexpr char mapped_tag = 'M';
constexpr char start_tag = 'S';

template <class T>
void append_number(std::string& out, T number) {
    std::array<char, sizeof(T)> bytes;
    std::memcpy(bytes.data(), &number, sizeof number);
    out.append(bytes.data(), bytes.size());
}

/// Cuts a number off the front of `in`.
template <class T>
bool take_number(std::string_view& in, T& number) {
    if (in.size() < sizeof number)
        return false;
    std::memcpy(&number, in.data(), sizeof number);
    in.remove_prefix(sizeof number);
    return true;
}

void append_text(std::string& out, const std::string& text) {
    size_t room = max_message_bytes - 1 - out.size();
    if (room < sizeof(uint16_t))
        return;
    auto length = static_cast<uint16_t>(std::min(text.size(), room - sizeof(uint16_t)));
    append_number(out, length);
    out.append(text, 0, length);
}

bool take_text(std::string_view& in, std::string& text) {
    uint16_t length = 0;
    if (!take_number(in, length) || in.size() < length)
        return false;
    text.assign(in.substr(0, length));
    in.remove_prefix(length);
    return true;
}

} // namespace

std::string encode_error(const Error& error) {
    std::string message;
    append_number(message, static_cast<int32_t>(error.kind()));
    append_number(message, static_cast<int32_t>(error.errno_value()));
    append_text(message, error.message());
    for (size_t i = 0; i < error.context().size() && i < max_steps; ++i)
        append_text(message, error.context()[i]);
    return message;
}

std::optional<Error> decode_error(const std::string& message) {
    std::string_view rest = message;
    int32_t kind = 0;
    int32_t errno_value = 0;
    std::string text;
    if (!take_number(rest, kind) || !take_number(rest, errno_value) || !take_text(rest, text))
        return std::nullopt;
    if (kind < 0 || kind > static_cast<int32_t>(ErrorKind::process_finished))
        return std::nullopt;
    Error error(static_cast<ErrorKind>(kind), text, errno_value);
    while (!rest.empty()) {
        if (!take_text(rest, text))
            return std::nullopt;
        error.add_context(text);
    }
    return error;
}

Result<std::pair<os::Fd, os::Fd>> make_setup_sockets() {
    std::array<int, 2> ends{};
    // SOCK_SEQPACKET: each write is one message, and it ends.
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return system_error("make a socket pair");
    os::Fd ours(ends[0]);
    os::Fd theirs(ends[1]);
    if (::fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0)
        return system_error("make a socket non-blocking");
    return std::pair(std::move(ours), std::move(theirs));
}

SetupChannel::SetupChannel(kj::UnixEventPort& event_port, os::Fd socket)
    : socket_(std::move(socket)),
      observer_(event_port, socket_.get(), kj::UnixEventPort::FdObserver::OBSERVE_READ) {}

std::optional<SetupMessage> SetupChannel::receive() {
    std::array<char, max_message_bytes> data;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    iovec part{data.data(), data.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    ssize_t length = ::recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return std::nullopt;

    SetupMessage message;
    if (length <= 0)
        return message;
    for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr; item = CMSG_NXTHDR(&header, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS)
            continue;
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(item), sizeof fd);
        message.terminal.reset(fd);
    }
    switch (data[0]) {
    case terminal_tag:
        message.kind = SetupMessage::Kind::terminal;
        break;
    case ready_tag:
        message.kind = SetupMessage::Kind::ready;
        break;
    default:
        message.kind = SetupMessage::Kind::failed;
        message.error = decode_error(std::string(data.data() + 1, static_cast<size_t>(length - 1)));
        if (!message.error)
            message.error = Error(ErrorKind::internal, "unreadable report of the process's set-up");
        break;
    }
    return message;
}

kj::Promise<SetupMessage> SetupChannel::next() {
    std::optional<SetupMessage> message = receive();
    if (message)
        return kj::mv(*message);
    return observer_.whenBecomesReadable().then([this] { return next(); });
}

Result<void> SetupChannel::send(char tag) {
    if (::send(socket_.get(), &tag, 1, MSG_NOSIGNAL) != 1)
        return system_error("let the process go on");
    return {};
}

Result<void> SetupChannel::tell_mapped() {
    return send(mapped_tag);
}

Result<void> SetupChannel::start() {
    return send(start_tag);
}

Result<void> SetupReporter::send_terminal(int master) {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    char tag = terminal_tag;
    iovec part{&tag, 1};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* item = CMSG_FIRSTHDR(&header);
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(item), &master, sizeof master);
    if (::sendmsg(socket_, &header, MSG_NOSIGNAL) != 1)
        return system_error("pass the terminal on");
    return {};
}

Result<void> SetupReporter::send_ready() {
    if (::write(socket_, &ready_tag, 1) != 1)
        return system_error("report that the process is ready");
    return {};
}

void SetupReporter::send_failed(const Error& error) {
    std::string message = failed_tag + encode_error(error);
    // Whoever has given the process up needs no report.
    [[maybe_unused]] ssize_t written = ::write(socket_, message.data(), message.size());
}

bool SetupReporter::wait_for(char tag) {
    char received = 0;
    ssize_t length = -1;
    do {
        length = ::read(socket_, &received, 1);
    } while (length < 0 && errno == EINTR);
    return length == 1 && received == tag;
}

bool SetupReporter::wait_until_mapped() {
    return wait_for(mapped_tag);
}

bool SetupReporter::wait_for_start() {
    return wait_for(start_tag);
}

} // namespace runvm::agent
