#pragma once
// Tells when the guest's kernel calls one of its own functions: a kprobe that perf_event_open(2) makes. The
// agent hears of what happens without asking again and again: a guest that does nothing costs no processor
// time.

#include "core/result.h"
#include "os/fd.h"

#include <kj/async-unix.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace runvm::agent {

class FunctionProbe final : private kj::TaskSet::ErrorHandler {
public:
    enum class Moment { call, returned };

    /// `fired` is called on the event loop. `function` must be a symbol of the kernel or of a loaded module.
    FunctionProbe(kj::UnixEventPort& event_port, std::string function, Moment moment,
                  std::function<void()> fired);
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
    const std::function<void()> fired_;
    std::map<unsigned, std::unique_ptr<OnCpu>> cpus_;
    kj::TaskSet tasks_;
};

} // namespace runvm::agent
