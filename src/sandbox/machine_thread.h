#pragma once
// Runs the hypervisor's blocking calls on a thread of their own, one after the other: libvirt blocks for up
// to seconds, and the event loop must not.

#include "core/result.h"

#include <kj/async.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace runvm::sandbox {

class MachineThread {
public:
    MachineThread();
    /// Waits for the call under way; calls that have not begun are dropped.
    ~MachineThread();
    MachineThread(const MachineThread&) = delete;
    MachineThread& operator=(const MachineThread&) = delete;

    /// Runs `call` on the thread; the promise belongs to the loop of the caller.
    kj::Promise<Result<void>> run(std::function<Result<void>()> call);

private:
    void loop();

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> calls_;
    bool leaving_ = false;
    std::thread thread_;
};

} // namespace runvm::sandbox
