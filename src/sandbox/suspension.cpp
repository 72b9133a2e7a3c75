#include "sandbox/suspension.h"

#include "channel/rpc_error.h"

#include <utility>

namespace runvm::sandbox {

Suspension::Suspension(Machine& machine, Hooks hooks)
    : machine_(machine), hooks_(std::move(hooks)), self_(std::make_shared<Suspension*>(this)), tasks_(*this) {
}

Suspension::~Suspension() {
    *self_ = nullptr;
}

Suspension::Awake::Awake(std::shared_ptr<Suspension*> owner) : owner_(std::move(owner)) {
    ++(*owner_)->awake_;
    (*owner_)->settle();
}

Suspension::Awake::~Awake() {
    Suspension* owner = *owner_;
    if (owner == nullptr)
        return;
    // Later: this may be in the midst of a promise's end.
    if (--owner->awake_ == 0)
        owner->tasks_.add(kj::evalLater([owner] { owner->settle(); }));
}

kj::Own<Suspension::Awake> Suspension::keep_awake() {
    return kj::heap<Awake>(self_);
}

void Suspension::settle() {
    if (changing_ || ended_)
        return;
    bool suspend = awake_ == 0 && hooks_.may_suspend();
    if (suspend == suspended_)
        wake_waiters();
    else
        begin_change(suspend);
}

void Suspension::begin_change(bool suspend) {
    changing_ = true;
    if (!suspend)
        hooks_.before_resume();
    auto change = suspend ? machine_.suspend() : machine_.resume();
    tasks_.add(change.then([this, suspend](Result<void>&& result) {
        changing_ = false;
        bool changed = result.ok();
        if (changed)
            suspended_ = suspend;
        hooks_.changed(suspend, std::move(result));
        if (changed)
            settle(); // it may have to be otherwise by now
        else
            wake_waiters();
    }));
}

kj::Promise<void> Suspension::settled() {
    if (!changing_ || ended_)
        return kj::READY_NOW;
    auto pair = kj::newPromiseAndFulfiller<void>();
    waiters_.push_back(kj::mv(pair.fulfiller));
    return kj::mv(pair.promise);
}

void Suspension::end() {
    ended_ = true;
    wake_waiters();
}

void Suspension::wake_waiters() {
    for (auto& waiter : std::exchange(waiters_, {}))
        waiter->fulfill();
}

void Suspension::taskFailed(kj::Exception&& exception) {
    changing_ = false;
    hooks_.changed(!suspended_, channel::from_exception(exception, "internal error"));
    wake_waiters();
}

} // namespace runvm::sandbox
