#pragma once
// Suspends the machine while nothing in it may run, and lets it run for every call to the guest.

#include "core/result.h"
#include "sandbox/machine.h"

#include <kj/async.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace runvm::sandbox {

class Suspension final : private kj::TaskSet::ErrorHandler {
public:
    struct Hooks {
        std::function<bool()> may_suspend;   ///< asked anew by every settle()
        std::function<void()> before_resume; ///< what it sends to the guest is the first the guest gets
        std::function<void(bool suspended, Result<void> result)> changed;
    };
    Suspension(Machine& machine, Hooks hooks);
    ~Suspension();
    Suspension(const Suspension&) = delete;
    Suspension& operator=(const Suspension&) = delete;

    /// As long as one lives, the machine runs. It may outlive the Suspension.
    class Awake {
    public:
        explicit Awake(std::shared_ptr<Suspension*> owner);
        ~Awake();
        Awake(const Awake&) = delete;
        Awake& operator=(const Awake&) = delete;

    private:
        std::shared_ptr<Suspension*> owner_; ///< to null once that is gone
    };
    kj::Own<Awake> keep_awake();

    /// To be called when `may_suspend` may answer anew.
    void settle();
    /// When the machine is as it should be, or cannot be made so.
    kj::Promise<void> settled();

    /// The machine is over: there is nothing to settle any more.
    void end();

private:
    void taskFailed(kj::Exception&& exception) override;
    void begin_change(bool suspend);
    void wake_waiters();

    Machine& machine_;
    Hooks hooks_;
    std::shared_ptr<Suspension*> self_;
    uint32_t awake_ = 0;
    bool suspended_ = false;
    bool changing_ = false;
    bool ended_ = false;
    std::vector<kj::Own<kj::PromiseFulfiller<void>>> waiters_;
    kj::TaskSet tasks_;
};

} // namespace runvm::sandbox
