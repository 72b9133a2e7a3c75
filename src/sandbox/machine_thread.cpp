#include "sandbox/machine_thread.h"

#include <memory>

namespace runvm::sandbox {

MachineThread::MachineThread() : thread_([this] { loop(); }) {}

MachineThread::~MachineThread() {
    {
        std::lock_guard lock(mutex_);
        leaving_ = true;
        calls_.clear();
    }
    wake_.notify_one();
    thread_.join();
}

kj::Promise<Result<void>> MachineThread::run(std::function<Result<void>()> call) {
    auto pair = kj::newPromiseAndCrossThreadFulfiller<Result<void>>();
    // std::function wants copyable captures; the fulfiller is not.
    auto fulfiller =
        std::make_shared<kj::Own<kj::CrossThreadPromiseFulfiller<Result<void>>>>(kj::mv(pair.fulfiller));
    {
        std::lock_guard lock(mutex_);
        calls_.emplace_back([call = std::move(call), fulfiller] { (*fulfiller)->fulfill(call()); });
    }
    wake_.notify_one();
    return kj::mv(pair.promise);
}

void MachineThread::loop() {
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait(lock, [this] { return leaving_ || !calls_.empty(); });
        if (leaving_)
            return;
        auto call = std::move(calls_.front());
        calls_.pop_front();
        lock.unlock();
        call();
        lock.lock();
    }
}

} // namespace runvm::sandbox
