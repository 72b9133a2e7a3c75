#include "sandbox/name_queries.h"

#include "channel/name_messages.h"
#include "channel/rpc_error.h"
#include "core/time.h"

#include <cstdio>

namespace runvm::sandbox {

NameQueries::~NameQueries() noexcept = default; // kj's destructors may throw; ours may not

void NameQueries::taskFailed(kj::Exception&& exception) {
    if (exception.getType() == kj::Exception::Type::DISCONNECTED)
        agent_ = nullptr; // the machine is over
    else
        give_up(channel::from_exception(exception, "nextNameQueries"));
}

// Names are not worth a machine: the guest gets no more of them.
void NameQueries::give_up(const Error& why) {
    if (agent_ != nullptr)
        std::fprintf(stderr, "%s the guest's name queries are not answered any more: %s\n",
                     format_time(now_ns()).c_str(), why.to_string().c_str());
    agent_ = nullptr;
    has_given_up_ = true;
}

void NameQueries::follow(protocol::Agent::Client agent) {
    if (agent_ != nullptr || is_listening_ || has_given_up_)
        return;
    agent_ = kj::mv(agent);
    listen();
}

void NameQueries::listen() {
    if (is_listening_ || pending_ + protocol::MAX_NAME_QUERIES > most_pending)
        return;
    KJ_IF_MAYBE (agent, agent_) {
        is_listening_ = true;
        tasks_.add(agent->nextNameQueriesRequest().send().then([this](Answer&& answer) {
            is_listening_ = false;
            if (auto taken = take(answer); !taken)
                give_up(taken.error());
            listen();
        }));
    }
}

// One without a query would be asked again at once, for ever.
Result<void> NameQueries::take(Answer& answer) {
    RUNVM_TRY(channel::to_result(answer.getError()));
    auto queries = answer.getQueries();
    if (queries.size() == 0 || queries.size() > protocol::MAX_NAME_QUERIES)
        return Error(ErrorKind::guest, "the guest sent " + std::to_string(queries.size()) +
                                           " name queries; 1 to " +
                                           std::to_string(protocol::MAX_NAME_QUERIES) + " are allowed");
    for (auto query : queries)
        if (query.getMessage().size() == 0 || query.getMessage().size() > channel::largest_name_message)
            return Error(ErrorKind::guest, "the guest sent a name query of " +
                                               std::to_string(query.getMessage().size()) + " bytes");
    for (auto query : queries)
        pass_on(query);
    return {};
}

void NameQueries::pass_on(protocol::NameQuery::Reader query) {
    ++pending_;
    auto message = query.getMessage().asChars();
    auto answered =
        ask_(std::string(message.begin(), message.size()), query.getOverTcp())
            .then([this, id = query.getId()](Result<std::string>&& answer) -> kj::Promise<void> {
                KJ_IF_MAYBE (agent, agent_) {
                    auto request = agent->answerNameQueryRequest();
                    request.setId(id);
                    if (answer)
                        request.setMessage(kj::StringPtr(answer->c_str(), answer->size()).asBytes());
                    // Without a limit: a guest that is paused takes it later, and one that takes none is
                    // asked for no more.
                    return request.send().ignoreResult();
                }
                return kj::READY_NOW;
            });
    tasks_.add(answered.then([this] {
        --pending_;
        listen();
    }));
}

} // namespace runvm::sandbox
