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
    kj::Promise<void> freeze(FreezeContext context) override { return answer(context); }
    kj::Promise<void> updateContainer(UpdateContainerContext context) override { return answer(context); }
    kj::Promise<void> grow(GrowContext context) override { return answer(context); }
    kj::Promise<void> processes(ProcessesContext context) override {
        write_processes(context);
        return answer(context);
    }
    kj::Promise<void> readCgroup(ReadCgroupContext context) override {
        write_contents(context);
        return answer(context);
    }
    kj::Promise<void> setClock(SetClockContext context) override {
        return unasked([this, context]() mutable { return answer(context); });
    }
    kj::Promise<void> awaitOomKill(AwaitOomKillContext context) override {
        return unasked([this, context]() mutable {
            context.getResults().setKills(choices_.ConsumeIntegral<uint64_t>());
            return answer(context);
        });
    }
    kj::Promise<void> setNetwork(SetNetworkContext context) override { return answer(context); }
    kj::Promise<void> nextNameQueries(NextNameQueriesContext context) override {
        return unasked([this, context]() mutable {
            write_queries(context);
            return answer(context);
        });
    }
    kj::Promise<void> answerNameQuery(AnswerNameQueryContext context) override { return answer(context); }
    kj::Promise<void> powerOff(PowerOffContext) override { return kj::READY_NOW; }
    kj::Promise<void> wait(WaitContext context) override {
        return later().then([this, context]() mutable {
            write_exit(context.getResults().initStatus());
            return answer(context);
        });
    }

    /// One call that waits is answered.
    void answer_one() { answer_one(waiting_); }
    /// One of those that the monitor makes by itself.
    void answer_unasked() { answer_one(unasked_); }

private:
    using Waiting = std::vector<kj::Own<kj::PromiseFulfiller<void>>>;

    void answer_one(Waiting& waiting) {
        if (waiting.empty())
            return;
        size_t which = choices_.ConsumeIntegralInRange<size_t>(0, waiting.size() - 1);
        waiting[which]->fulfill();
        waiting.erase(waiting.begin() + static_cast<ptrdiff_t>(which));
    }

    static kj::Promise<void> wait_in(Waiting& waiting) {
        auto pair = kj::newPromiseAndFulfiller<void>();
        waiting.push_back(kj::mv(pair.fulfiller));
        return kj::mv(pair.promise);
    }

    kj::Promise<void> later() { return wait_in(waiting_); }

    template <class Answer>
    kj::Promise<void> unasked(Answer answer) {
        return wait_in(unasked_).then(kj::mv(answer));
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

    void write_processes(ProcessesContext context) {
        constexpr uint32_t too_many = protocol::MAX_PROCESS_INFOS + 1;
        auto wanted = choices_.ConsumeIntegralInRange<uint32_t>(0, 16);
        auto list = context.getResults().initProcesses(wanted < 16 ? wanted : too_many);
        context.getResults().setMemoryBytes(choices_.ConsumeIntegral<uint64_t>());
        std::string name = text();
        for (auto process : list) {
            process.setPid(choices_.ConsumeIntegral<uint32_t>());
            process.setName(name);
            process.setCommandLine(name);
            if (choices_.remaining_bytes() == 0)
                return;
        }
    }

    void write_queries(NextNameQueriesContext context) {
        constexpr size_t large = 65536;
        auto list = context.getResults().initQueries(
            choices_.ConsumeIntegralInRange<uint32_t>(0, protocol::MAX_NAME_QUERIES + 1));
        for (auto query : list) {
            query.setId(choices_.ConsumeIntegral<uint32_t>());
            query.setOverTcp(choices_.ConsumeBool());
            std::string message = choices_.ConsumeBool() ? text() : std::string(large, 'x');
            query.setMessage(kj::StringPtr(message.c_str(), message.size()).asBytes());
        }
    }

    void write_contents(ReadCgroupContext context) {
        constexpr size_t large = 65537;
        auto contents = context.getResults().initContents(choices_.ConsumeIntegralInRange<uint32_t>(0, 4));
        for (unsigned i = 0; i < contents.size(); ++i)
            contents.set(i,
                         choices_.ConsumeBool() ? text() : std::string(large - choices_.ConsumeBool(), 'x'));
    }

    FuzzedDataProvider& choices_;
    Waiting waiting_;
    Waiting unasked_;
};

} // namespace runvm::fuzz
