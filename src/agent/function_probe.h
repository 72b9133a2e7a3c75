#pragma once
// Tells when the guest's kernel calls one of its own functions: a kprobe that perf_event_open(2) makes. The
// agent hears of what happens without asking again and again: a guest that does nothing costs no processor
// time.

#include "core/result.h"
#include "os/fd.h"

#include <kj/async-unix.h>

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace runvm::agent {

class FunctionProbe final : private kj::TaskSet::ErrorHandler {
public:
    enum class Moment { call, returned };

    /// Called on the event loop with the processes that were in a call that counted; a process comes as often
    /// as it was.
    using Fired = std::function<void(const std::vector<pid_t>& callers)>;

    /// `function` must be a symbol of the kernel or of a loaded module.
    FunctionProbe(kj::UnixEventPort& event_port, std::string function, Moment moment, Fired fired);
    ~FunctionProbe() noexcept(false);
    KJ_DISALLOW_COPY(FunctionProbe);

    /// From now on `fired` comes after every `period` calls on one cpu. To be called again when there are
    /// more cpus, and to change the period.
    Result<void> watch_every(uint64_t period);

private:
    class OnCpu;

    kj::Promise<void> await(OnCpu& on_cpu);
    void taskFailed(kj::Exception&& exception) override;

    kj::UnixEventPort& event_port_;
    const std::string function_;
    const Moment moment_;
    const Fired fired_;
    std::map<unsigned, std::unique_ptr<OnCpu>> cpus_;
    kj::TaskSet tasks_;
};

} // namespace runvm::agent
