#pragma once
// A call to the guest's agent with a time limit, its outcome as a Result. The guest may never answer.

#include "channel/rpc_error.h"
#include "core/result.h"

#include <capnp/capability.h>
#include <kj/timer.h>

#include <cstdint>
#include <string>

namespace runvm::sandbox {

/// What a guest that has a limit itself gets on top of it, to say so.
inline constexpr uint32_t answer_ms = 5000;

/// `T`: the results' struct, with a field `error`.
template <class T>
kj::Promise<Result<capnp::Response<T>>> ask(kj::Timer& timer, uint32_t limit_ms, const char* name,
                                            capnp::RemotePromise<T> call) {
    using Answer = capnp::Response<T>;
    kj::Promise<Answer> answer = kj::mv(call);
    return timer.timeoutAfter(limit_ms * kj::MILLISECONDS, kj::mv(answer))
        .then([](Answer&& response) -> Result<Answer> {
            RUNVM_TRY(channel::to_result(response.getError()));
            return kj::mv(response);
        })
        // Behind the reading, which throws when the answer is malformed.
        .catch_([name, limit_ms](kj::Exception&& exception) -> Result<Answer> {
            if (exception.getType() == kj::Exception::Type::OVERLOADED)
                return Error(ErrorKind::timeout, std::string("the guest did not answer ") + name +
                                                     " within " + std::to_string(limit_ms) + " ms");
            return channel::from_exception(exception, name);
        });
}

/// The same where only the error matters.
template <class T>
kj::Promise<Result<void>> tell(kj::Timer& timer, uint32_t limit_ms, const char* name,
                               capnp::RemotePromise<T> call) {
    return ask(timer, limit_ms, name, kj::mv(call))
        .then([](Result<capnp::Response<T>>&& answer) -> Result<void> {
            if (!answer)
                return std::move(answer).error();
            return {};
        });
}

} // namespace runvm::sandbox
