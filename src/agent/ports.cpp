#include "agent/ports.h"

#include <memory>

namespace runvm::agent {

namespace {

class Pairing final : private kj::TaskSet::ErrorHandler {
public:
    Pairing(kj::AsyncIoStream& control, kj::AsyncIoStream& streams)
        : control_{control, channel::PortRole::control, {}}, streams_{streams,
                                                                      channel::PortRole::streams,
                                                                      {}},
          handshakes_(*this) {}

    kj::Promise<void> run() {
        auto pair = kj::newPromiseAndFulfiller<void>();
        paired_ = kj::mv(pair.fulfiller);
        listen(control_);
        listen(streams_);
        return kj::mv(pair.promise);
    }

private:
    struct Port {
        kj::AsyncIoStream& stream;
        channel::PortRole role;
        channel::Nonce nonce;
        bool answered = false;
        bool listening = false;
    };

    void listen(Port& port) {
        if (port.listening)
            return;
        port.listening = true;
        handshakes_.add(
            channel::handshake_guest(port.stream, port.role).then([this, &port](channel::Nonce&& nonce) {
                port.nonce = nonce;
                port.answered = true;
                port.listening = false;
                compare();
            }));
    }

    void compare() {
        if (!control_.answered || !streams_.answered)
            return;
        if (control_.nonce == streams_.nonce)
            return paired_->fulfill();
        // One of the two is of a session that is over, and which one cannot be told. The host sends nothing
        // else before both are answered, so listening on the right one takes nothing from it.
        listen(control_);
        listen(streams_);
    }

    void taskFailed(kj::Exception&& exception) override { paired_->reject(kj::mv(exception)); }

    Port control_;
    Port streams_;
    kj::Own<kj::PromiseFulfiller<void>> paired_;
    kj::TaskSet handshakes_; // last: they use what is above
};

} // namespace

kj::Promise<void> pair_ports(kj::AsyncIoStream& control, kj::AsyncIoStream& streams) {
    auto pairing = kj::heap<Pairing>(control, streams);
    auto paired = pairing->run();
    return paired.attach(kj::mv(pairing));
}

Result<kj::Own<PortSource>> open_ports(kj::UnixEventPort& event_port, const KernelOptions& kernel_options) {
    auto option = [&](const std::string& name) {
        auto found = kernel_options.find(name);
        return found == kernel_options.end() ? std::string() : found->second;
    };
    std::string channel = option("channel");
    if (channel.empty() || channel == "serial")
        return open_virtio_ports(event_port);
    if (channel == "vsock")
        return listen_on_vsock(event_port, option("secret"));
    return Error(ErrorKind::invalid_argument, "runvm.channel=" + channel + " is neither serial nor vsock");
}

} // namespace runvm::agent
