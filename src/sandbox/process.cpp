#include "sandbox/process.h"

#include <csignal>

namespace runvm::sandbox {

namespace {

constexpr uint32_t highest_exit_code = 255;
constexpr uint32_t highest_signal = 64;

} // namespace

Exit killed_with_machine() {
    Exit exit;
    exit.signaled = true;
    exit.value = SIGKILL;
    return exit;
}

Exit checked_exit(protocol::ExitStatus::Reader status, const std::map<channel::StreamId, uint32_t>& streams) {
    Exit exit;
    exit.signaled = status.getSignaled();
    exit.value = status.getValue();
    exit.oom_killed = status.getOomKilled();
    bool valid =
        exit.signaled ? exit.value >= 1 && exit.value <= highest_signal : exit.value <= highest_exit_code;
    if (!valid) {
        exit.signaled = false;
        exit.value = highest_exit_code;
    }
    auto unheard = streams;
    for (auto stream : status.getStreams()) {
        auto known = unheard.find(stream.getStream());
        if (known == unheard.end())
            continue;
        exit.streams.push_back({known->second, stream.getBytes()});
        unheard.erase(known);
    }
    return exit;
}

void write_exit(const Exit& exit, protocol::ExitStatus::Builder out) {
    out.setSignaled(exit.signaled);
    out.setValue(exit.value);
    out.setOomKilled(exit.oom_killed);
    auto streams = out.initStreams(exit.streams.size());
    for (unsigned i = 0; i < exit.streams.size(); ++i) {
        streams[i].setStream(exit.streams[i].fd);
        streams[i].setBytes(exit.streams[i].bytes);
    }
}

Process::Process(std::string container, std::string exec)
    : Process(std::move(container), std::move(exec), kj::newPromiseAndFulfiller<void>()) {}

Process::Process(std::string container, std::string exec, kj::PromiseFulfillerPair<void> pair)
    : container_id(std::move(container)), exec_id(std::move(exec)), fulfiller_(kj::mv(pair.fulfiller)),
      ended_(pair.promise.fork()) {}

void Process::end(Exit exit) {
    if (exit_)
        return;
    exit_ = std::move(exit);
    fulfiller_->fulfill();
}

protocol::ContainerStatus::State ContainerRecord::state() const {
    using State = protocol::ContainerStatus::State;
    if (init->ended())
        return State::STOPPED;
    if (paused)
        return State::PAUSED;
    if (started)
        return State::RUNNING;
    return init->created ? State::CREATED : State::CREATING;
}

} // namespace runvm::sandbox
