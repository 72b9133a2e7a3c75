// What the host does to files that processes of the guest watch: see FileWatches of the agent.

#include "sandbox/sandbox.h"

#include "sandbox/agent_call.h"

#include <algorithm>
#include <cstddef>

namespace runvm::sandbox {

namespace {

// A guest that says something new all the time shall not keep the monitor busy.
constexpr auto shortest_watch_interval = 10 * kj::MILLISECONDS;
// How soon events that came during a pause are told after it.
constexpr auto paused_check_interval = 1 * kj::SECONDS;

} // namespace

void Sandbox::follow_file_watches(bool all) {
    if (!guest_)
        return;
    auto request = guest_->agent.awaitFileWatchesRequest();
    request.setAll(all);
    auto followed =
        request.send().then([this](capnp::Response<protocol::Agent::AwaitFileWatchesResults>&& answer) {
            for (uint32_t id : answer.getRemoved()) {
                machine_.unwatch_file(id);
                watched_files_.erase(id);
            }
            for (auto watch : answer.getAdded()) {
                auto path = watch.getPath().asChars();
                if (watched_files_.size() >= protocol::MAX_FILE_WATCHES)
                    break;
                // One that cannot be watched hears nothing of the host: its process goes on all the same.
                watched_files_.insert(watch.getId());
                (void)machine_.watch_file(watch.getId(), std::string(path.begin(), path.size()));
            }
            return timer_.afterDelay(shortest_watch_interval).then([this] { follow_file_watches(false); });
        });
    // An agent that does not know the call, a malformed answer, or the end of the session.
    tasks_.add(followed.catch_([](kj::Exception&&) {}));
}

void Sandbox::carry_file_events() {
    tasks_.add(machine_.next_file_events().then(
        [this](std::vector<vm::FileEvent>&& events) { return tell_file_events(std::move(events), 0); }));
}

// In parts, one after another: what happens meanwhile waits in the host's kernel.
kj::Promise<void> Sandbox::tell_file_events(std::vector<vm::FileEvent> events, size_t next) {
    if (!guest_)
        return kj::READY_NOW;
    if (state_ == protocol::SandboxState::PAUSED)
        return timer_.afterDelay(paused_check_interval)
            .then([this, events = std::move(events), next]() mutable {
                return tell_file_events(std::move(events), next);
            });
    if (next == events.size()) {
        carry_file_events();
        return kj::READY_NOW;
    }
    auto count = std::min<size_t>(events.size() - next, protocol::MAX_FILE_EVENTS);
    auto request = guest_->agent.tellFileEventsRequest();
    auto list = request.initEvents(static_cast<unsigned>(count));
    for (unsigned i = 0; i < count; ++i) {
        const vm::FileEvent& event = events[next + i];
        list[i].setWatch(event.watch);
        list[i].setMask(event.mask);
        list[i].setName(kj::StringPtr(event.name).asBytes());
    }
    return tell_guest(agent_timeout_ms_, "tellFileEvents", request)
        .then([this, events = std::move(events), next = next + count](Result<void>&&) mutable {
            return tell_file_events(std::move(events), next);
        });
}

} // namespace runvm::sandbox
