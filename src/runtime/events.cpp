// events: a container's figures, and that it ran out of memory.

#include "oci/stats.h"
#include "runtime/commands.h"
#include "runtime/monitor_connection.h"

#include <algorithm>

namespace runvm::runtime {

namespace {

// How soon the end of the container is seen.
constexpr uint64_t longest_wait_ms = 200;

Result<state::Container> load_living(Context& context, const std::string& id) {
    RUNVM_ASSIGN(state::Container container, load(context, id));
    if (state::effective_status(container) == state::Status::stopped)
        return Error(ErrorKind::wrong_state, "container with id " + id + " is not running"); // runc's words
    return container;
}

Result<std::string> read_stats(const Context& context, MonitorConnection& connection, const std::string& id) {
    const std::vector<std::string>& names = oci::stats_files();
    auto request = connection.sandbox().readCgroupRequest();
    request.setId(id);
    auto list = request.initNames(static_cast<unsigned>(names.size()));
    for (unsigned i = 0; i < names.size(); ++i)
        list.set(i, names[i]);
    RUNVM_ASSIGN(auto answer,
                 connection.wait(request.send(), guest_call_limit_ms(context.config), "readCgroup"));
    auto contents = answer.getContents();
    std::map<std::string, std::string> files;
    for (unsigned i = 0; i < std::min<size_t>(names.size(), contents.size()); ++i)
        files[names[i]] = std::string(contents[i].begin(), contents[i].size());
    return oci::stats_event(id, files);
}

// Counts what is told of one container.
class OomCounter final : public protocol::EventSink::Server {
public:
    OomCounter(std::string id, unsigned& kills) : id_(std::move(id)), kills_(kills) {}
    kj::Promise<void> event(EventContext context) override {
        auto event = context.getParams().getEvent();
        if (event.isOom() && event.getContainerId() == id_.c_str())
            ++kills_;
        return kj::READY_NOW;
    }

private:
    const std::string id_;
    unsigned& kills_;
};

// The one that was there at the beginning: another may have its id by now.
bool is_deleted(Context& context, const state::Container& container) {
    auto loaded = context.store->load(container.id);
    if (!loaded)
        return loaded.error().kind() == ErrorKind::not_found;
    return loaded->created_ns != container.created_ns;
}

} // namespace

Result<void> stats(Context& context, const std::string& id, const EventPrinter& print) {
    RUNVM_ASSIGN(state::Container container, load_living(context, id));
    RUNVM_ASSIGN(auto connection, MonitorConnection::open(container.sandbox_folder));
    RUNVM_ASSIGN(std::string line, read_stats(context, *connection, id));
    return print(line);
}

Result<void> events(Context& context, const std::string& id, uint64_t interval_ms,
                    const EventPrinter& print) {
    using Clock = std::chrono::steady_clock;
    const std::chrono::milliseconds interval(interval_ms);
    RUNVM_ASSIGN(state::Container container, load_living(context, id));
    RUNVM_ASSIGN(auto connection, MonitorConnection::open(container.sandbox_folder));
    unsigned kills = 0;
    auto request = connection->sandbox().monitorRequest();
    request.setSink(kj::heap<OomCounter>(id, kills));
    auto told = request.send().ignoreResult().eagerlyEvaluate([](kj::Exception&&) {}); // the sandbox is over
    auto next = Clock::now() + interval;
    while (!is_deleted(context, container)) {
        auto left = std::chrono::duration_cast<std::chrono::milliseconds>(next - Clock::now()).count();
        connection->run_for(static_cast<uint32_t>(std::clamp<int64_t>(left, 0, longest_wait_ms)));
        for (; kills > 0; --kills)
            RUNVM_TRY(print(oci::oom_event(id)));
        if (Clock::now() < next)
            continue;
        next = Clock::now() + interval;
        // One that has stopped has no figures, and its end is that it is deleted, as in runc.
        if (state::effective_status(container) == state::Status::stopped)
            continue;
        auto line = read_stats(context, *connection, id);
        if (line)
            RUNVM_TRY(print(*line));
        else if (context.log != nullptr && state::effective_status(container) != state::Status::stopped)
            context.log->warning(line.error().to_string());
    }
    return {};
}

} // namespace runvm::runtime
