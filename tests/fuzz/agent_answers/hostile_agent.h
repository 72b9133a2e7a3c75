#pragma once
// The agent of a hostile guest.

#include "../support.h"

#include "protocol/agent.capnp.h"

#include <cstdint>
#include <string>
#include <vector>

namespace runvm::fuzz {

/// Answers that no agent of ours gives, in well-formed messages.
class HostileAgent final : public protocol::Agent::Server {
public:
    explicit HostileAgent(FuzzedDataProvider& choices) : choices_(choices) {}

    kj::Promise<void> hello(HelloContext context) override {
        constexpr uint32_t seldom = 16;
        bool odd = choices_.ConsumeIntegralInRange<uint32_t>(0, seldom) == 1;
        context.getResults().setProtocolVersion(odd ? choices_.ConsumeIntegral<uint32_t>()
                                                    : protocol::AGENT_PROTOCOL_VERSION);
        return odd ? answer(context) : kj::READY_NOW;
    }
    kj::Promise<void> createContainer(CreateContainerContext context) override { return answer(context); }
    kj::Promise<void> startContainer(StartContainerContext context) override { return answer(context); }
    kj::Promise<void> exec(ExecContext context) override { return answer(context); }
    kj::Promise<void> signal(SignalContext context) override { return answer(context); }
    kj::Promise<void> resize(ResizeContext context) override { return answer(context); }
    kj::Promise<void> forgetProcess(ForgetProcessContext context) override { return answer(context); }
    kj::Promise<void> deleteContainer(DeleteContainerContext context) override { return answer(context); }
    kj::Promise<void> powerOff(PowerOffContext) override { return kj::READY_NOW; }
    kj::Promise<void> wait(WaitContext context) override {
        return later().then([this, context]() mutable {
            write_exit(context.getResults().initStatus());
            return answer(context);
        });
    }

    /// One call that waits is answered.
    void answer_one() {
        if (waiting_.empty())
            return;
        size_t which = choices_.ConsumeIntegralInRange<size_t>(0, waiting_.size() - 1);
        waiting_[which]->fulfill();
        waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(which));
    }

private:
    kj::Promise<void> later() {
        auto pair = kj::newPromiseAndFulfiller<void>();
        waiting_.push_back(kj::mv(pair.fulfiller));
        return kj::mv(pair.promise);
    }

    template <class Context>
    kj::Promise<void> answer(Context context) {
        switch (choices_.ConsumeIntegralInRange(0, 7)) {
        case 1:
            return kj::NEVER_DONE;
        case 2:
            return later();
        case 3:
            write_error(context.getResults().initError());
            return kj::READY_NOW;
        case 4:
            return kj::Exception(static_cast<kj::Exception::Type>(choices_.ConsumeIntegralInRange(0, 3)),
                                 "guest", 1, kj::heapString(text().c_str()));
        case 5:
            return later().then([this, context]() mutable { write_error(context.getResults().initError()); });
        default:
            return kj::READY_NOW;
        }
    }

    std::string text() {
        std::string piece = choices_.ConsumeRandomLengthString(32);
        size_t times = choices_.ConsumeBool() ? choices_.ConsumeIntegralInRange<size_t>(0, 2000) : 1;
        std::string whole;
        for (; times > 0; --times)
            whole += piece;
        return whole;
    }

    void write_error(protocol::Error::Builder error) {
        error.setFailed(choices_.ConsumeIntegralInRange(0, 7) != 1);
        error.setKind(choices_.ConsumeIntegral<uint16_t>());
        error.setErrnoValue(choices_.ConsumeIntegral<int32_t>());
        error.setMessage(text());
        std::string step = text();
        auto context = error.initContext(choices_.ConsumeIntegralInRange<uint32_t>(0, 40));
        for (unsigned i = 0; i < context.size(); ++i)
            context.set(i, step);
    }

    void write_exit(protocol::ExitStatus::Builder status) {
        status.setSignaled(choices_.ConsumeBool());
        status.setValue(choices_.ConsumeBool() ? choices_.ConsumeIntegral<uint32_t>()
                                               : choices_.ConsumeIntegralInRange<uint32_t>(0, 300));
        status.setOomKilled(choices_.ConsumeBool());
        auto streams = status.initStreams(choices_.ConsumeIntegralInRange<uint32_t>(0, 2000));
        auto first = choices_.ConsumeIntegralInRange<uint32_t>(0, 10);
        uint32_t step = choices_.ConsumeIntegralInRange<uint32_t>(0, 1);
        auto bytes = choices_.ConsumeIntegral<uint64_t>();
        for (unsigned i = 0; i < streams.size(); ++i) {
            streams[i].setStream(first + i * step);
            streams[i].setBytes(bytes);
        }
    }

    FuzzedDataProvider& choices_;
    std::vector<kj::Own<kj::PromiseFulfiller<void>>> waiting_;
};

} // namespace runvm::fuzz
