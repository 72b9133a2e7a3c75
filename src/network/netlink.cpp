#include "network/netlink.h"

#include <linux/netlink.h>
#include <netlink/socket.h>

#include <new>

namespace runvm::network {

namespace {

constexpr int most_dumps = 20;

/// What the callbacks of one request write down.
struct Outcome {
    int errno_value = 0;
    const std::function<void(nlmsghdr*)>* each = nullptr;
};

int on_error(sockaddr_nl*, nlmsgerr* answer, void* outcome) {
    static_cast<Outcome*>(outcome)->errno_value = -answer->error;
    return NL_STOP;
}

int on_message(nl_msg* message, void* outcome) {
    if (const auto* each = static_cast<Outcome*>(outcome)->each)
        (*each)(nlmsg_hdr(message));
    return NL_OK;
}

Error netlink_error(std::string_view what, int code) {
    return {ErrorKind::system, std::string(what) + ": " + nl_geterror(code)};
}

} // namespace

Message::Message(int type, int flags) : message_(nlmsg_alloc_simple(type, NLM_F_REQUEST | flags)) {
    if (message_ == nullptr)
        throw std::bad_alloc();
}

Result<Netlink> Netlink::open() {
    Netlink netlink(nl_socket_alloc());
    if (netlink.socket_ == nullptr)
        throw std::bad_alloc();
    if (int code = nl_connect(netlink.socket_.get(), NETLINK_ROUTE); code < 0)
        return netlink_error("open a netlink socket", code);
    return netlink;
}

Result<void> Netlink::request(Message& message, std::string_view what) {
    nl_sock* socket = socket_.get();
    Outcome outcome;
    nl_socket_modify_err_cb(socket, NL_CB_CUSTOM, on_error, &outcome);
    if (!message.fits())
        return Error(ErrorKind::internal, std::string(what) + ": the request is too large");
    if (int code = nl_send_auto(socket, message.get()); code < 0)
        return netlink_error(what, code);
    if (int code = nl_wait_for_ack(socket); code < 0 && outcome.errno_value == 0)
        return netlink_error(what, code);
    if (outcome.errno_value != 0)
        return system_error(what, outcome.errno_value);
    return {};
}

Result<void> Netlink::dump(Message& message, std::string_view what, const std::function<void()>& begin,
                           const std::function<void(nlmsghdr*)>& each) {
    nl_sock* socket = socket_.get();
    Outcome outcome{0, &each};
    nl_socket_modify_err_cb(socket, NL_CB_CUSTOM, on_error, &outcome);
    nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, on_message, &outcome);
    int code = -NLE_DUMP_INTR;
    for (int i = 0; i < most_dumps && code == -NLE_DUMP_INTR; ++i) {
        begin();
        nlmsg_hdr(message.get())->nlmsg_seq = NL_AUTO_SEQ;
        nlmsg_hdr(message.get())->nlmsg_flags |= NLM_F_DUMP;
        code = nl_send_auto(socket, message.get());
        if (code >= 0)
            code = nl_recvmsgs_default(socket);
    }
    if (outcome.errno_value != 0)
        return system_error(what, outcome.errno_value);
    if (code < 0)
        return netlink_error(what, code);
    return {};
}

} // namespace runvm::network
