#pragma once
// Messages to the kernel's network configuration (rtnetlink(7)), over libnl.

#include "core/result.h"

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace runvm::network {

class Message {
public:
    /// `type`: RTM_*; `flags`: NLM_F_* besides those of every request.
    Message(int type, int flags);

    /// The fixed part, first of all.
    template <class T>
    Message& header(const T& value) {
        note(nlmsg_append(message_.get(), const_cast<T*>(&value), sizeof value, NLMSG_ALIGNTO));
        return *this;
    }
    Message& put(int attribute, const void* bytes, size_t size) {
        note(nla_put(message_.get(), attribute, static_cast<int>(size), bytes));
        return *this;
    }
    Message& put_number(int attribute, uint32_t value) { return put(attribute, &value, sizeof value); }
    Message& put_text(int attribute, const std::string& text) {
        return put(attribute, text.c_str(), text.size() + 1);
    }
    /// Attributes within an attribute.
    template <class Fill>
    Message& nest(int attribute, Fill fill) {
        nlattr* begin = nla_nest_start(message_.get(), attribute);
        if (begin == nullptr) {
            fits_ = false;
            return *this;
        }
        fill(*this);
        nla_nest_end(message_.get(), begin);
        return *this;
    }

    nl_msg* get() { return message_.get(); }
    bool fits() const { return fits_; }

private:
    struct Free {
        void operator()(nl_msg* message) const { nlmsg_free(message); }
    };
    void note(int outcome) { fits_ = fits_ && outcome >= 0; }

    std::unique_ptr<nl_msg, Free> message_;
    bool fits_ = true;
};

class Netlink {
public:
    /// In the network namespace that the calling thread is in, and for that one.
    static Result<Netlink> open();

    /// Returns when the kernel has done it; kind system with the kernel's errno. `what` names it: "add
    /// address 10.0.0.1".
    Result<void> request(Message& message, std::string_view what);
    /// Gets all objects of a kind. A list that changed while it was read is read again: `begin` is called
    /// before each.
    Result<void> dump(Message& message, std::string_view what, const std::function<void()>& begin,
                      const std::function<void(nlmsghdr*)>& each);

private:
    struct Free {
        void operator()(nl_sock* socket) const { nl_socket_free(socket); }
    };
    explicit Netlink(nl_sock* socket) : socket_(socket) {}

    std::unique_ptr<nl_sock, Free> socket_;
};

} // namespace runvm::network
