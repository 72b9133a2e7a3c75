#pragma once
// Answers what the guest's processes ask at 127.0.0.11, by asking there in the namespace of the host. The
// guest chooses what is asked, how much at a time is bounded here, and that is all it can reach by this.

#include "core/result.h"
#include "protocol/agent.capnp.h"

#include <kj/async.h>

#include <cstddef>
#include <functional>
#include <string>

namespace runvm::sandbox {

class NameQueries final : private kj::TaskSet::ErrorHandler {
public:
    /// Asks the resolver; it has a time limit.
    using Ask = std::function<kj::Promise<Result<std::string>>(std::string message, bool over_tcp)>;

    /// As many questions are under way at most: each has a descriptor.
    static constexpr size_t most_pending = 64;

    explicit NameQueries(Ask ask) : ask_(std::move(ask)), tasks_(*this) {}
    ~NameQueries() noexcept;
    KJ_DISALLOW_COPY(NameQueries);

    /// What the guest asks is answered from now on; a second call changes nothing.
    void follow(protocol::Agent::Client agent);
    /// The machine is over.
    void end() { agent_ = nullptr; }

private:
    using Answer = capnp::Response<protocol::Agent::NextNameQueriesResults>;

    void taskFailed(kj::Exception&& exception) override;
    void give_up(const Error& why);
    void listen();
    Result<void> take(Answer& answer);
    void pass_on(protocol::NameQuery::Reader query);

    Ask ask_;
    kj::Maybe<protocol::Agent::Client> agent_;
    bool is_listening_ = false;
    bool has_given_up_ = false;
    size_t pending_ = 0;
    kj::TaskSet tasks_;
};

} // namespace runvm::sandbox
