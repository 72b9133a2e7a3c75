#pragma once

#include <atomic>
#include <thread>

namespace runvm::vm {

/// libvirt's events need a thread that runs its loop. The loop's state is the process's: there is one.
class EventLoop {
public:
    EventLoop();
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;
    ~EventLoop() { stop(); }
    /// No callback runs any more when this returns.
    void stop();

private:
    std::atomic<bool> leaving_ = false;
    int timer_ = -1;
    std::thread thread_;
};

} // namespace runvm::vm
