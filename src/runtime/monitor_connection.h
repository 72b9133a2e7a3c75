#pragma once
// A command's connection to a sandbox's monitor. Calls are waited for here, with a time limit: a monitor that
// hangs must not hang its callers.

#include "channel/rpc_error.h"
#include "core/result.h"
#include "os/fd.h"
#include "protocol/sandbox.capnp.h"

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>

#include <cstdint>
#include <memory>
#include <string>

namespace runvm::runtime {

/// Carries a descriptor to the monitor.
protocol::Descriptor::Client pass_fd(os::Fd fd);

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

    /// Waits for an answer, and turns its `error`, a broken connection and a time-out into errors.
    template <class T>
    Result<capnp::Response<T>> wait(capnp::RemotePromise<T> call, uint32_t limit_ms, const char* what) {
        try {
            kj::Promise<capnp::Response<T>> promise = kj::mv(call);
            auto answer = io_.provider->getTimer()
                              .timeoutAfter(limit_ms * kj::MILLISECONDS, kj::mv(promise))
                              .wait(io_.waitScope);
            if (auto result = channel::to_result(answer.getError()); !result)
                return std::move(result).error();
            return kj::mv(answer);
        } catch (const kj::Exception& exception) {
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
    kj::AsyncIoContext io_;
    kj::Own<kj::AsyncCapabilityStream> stream_;
    capnp::TwoPartyClient client_;
};

} // namespace runvm::runtime
