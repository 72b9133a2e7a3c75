#pragma once
// A command's connection to a sandbox's monitor. Calls are waited for here, with a time limit: a monitor that
// hangs must not hang its callers.

#include "channel/rpc_error.h"
#include "config/config.h"
#include "core/result.h"
#include "os/fd.h"
#include "protocol/sandbox.capnp.h"

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <kj/async-unix.h>
#include <kj/debug.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace runvm::runtime {

/// How long the monitor may take to answer what needs no guest.
inline constexpr uint32_t monitor_timeout_ms = 10000;

/// The same for what the monitor asks the guest.
inline uint32_t guest_call_limit_ms(const config::Config& config) {
    return config.hypervisor.agent_timeout_ms + monitor_timeout_ms;
}

class MonitorConnection {
public:
    /// Over a connected socket.
    explicit MonitorConnection(os::Fd socket);
    /// To the monitor of a sandbox; unavailable if it is gone.
    static Result<std::unique_ptr<MonitorConnection>> open(const std::string& sandbox_folder);

    /// The monitor's only sandbox (the call is pipelined: nothing waits).
    protocol::Sandbox::Client sandbox();
    protocol::SandboxService::Client service() {
        return client_.bootstrap().castAs<protocol::SandboxService>();
    }

    /// Sends what was asked for, without waiting for an answer.
    void flush() { io_.waitScope.poll(); }
    /// Lets what comes from the monitor be handled for some time.
    void run_for(uint32_t ms) {
        io_.provider->getTimer().afterDelay(ms * kj::MILLISECONDS).wait(io_.waitScope);
    }

    /// From here on a wait ends, with an error, when this signalfd(2) is readable (interrupts.h); -1: never.
    void interrupted_by(int fd);

    /// Waits for an answer, and turns its `error`, a broken connection, a time-out and an interrupt into
    /// errors.
    template <class T>
    Result<capnp::Response<T>> wait(capnp::RemotePromise<T> call, uint32_t limit_ms, const char* what) {
        try {
            kj::Promise<capnp::Response<T>> promise = kj::mv(call);
            auto limited =
                io_.provider->getTimer().timeoutAfter(limit_ms * kj::MILLISECONDS, kj::mv(promise));
            if (interrupts_)
                limited = limited.exclusiveJoin((*interrupts_)->whenBecomesReadable().then([this]() {
                    interrupted_ = true;
                    return kj::Promise<capnp::Response<T>>(KJ_EXCEPTION(FAILED, "interrupted"));
                }));
            auto answer = limited.wait(io_.waitScope);
            if (auto result = channel::to_result(answer.getError()); !result)
                return std::move(result).error();
            return kj::mv(answer);
        } catch (const kj::Exception& exception) {
            if (interrupted_)
                return interruption().add_context(what);
            if (exception.getType() == kj::Exception::Type::OVERLOADED)
                return Error(ErrorKind::timeout, std::string("the monitor did not answer ") + what +
                                                     " within " + std::to_string(limit_ms) + " ms");
            return channel::from_exception(exception, what);
        }
    }

    /// The same where only the error matters.
    template <class T>
    Result<void> tell(capnp::RemotePromise<T> call, uint32_t limit_ms, const char* what) {
        auto answer = wait(kj::mv(call), limit_ms, what);
        if (!answer)
            return std::move(answer).error();
        return {};
    }

private:
    /// Which signal it was; it is taken from those that wait.
    Error interruption() const;

    kj::AsyncIoContext io_;
    kj::Own<kj::AsyncCapabilityStream> stream_;
    capnp::TwoPartyClient client_;
    int interrupts_fd_ = -1;
    std::optional<kj::Own<kj::UnixEventPort::FdObserver>> interrupts_;
    bool interrupted_ = false;
};

} // namespace runvm::runtime
