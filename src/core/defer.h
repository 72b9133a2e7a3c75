#pragma once
// Runs a piece of code at the end of the scope, unless it is dismissed.

#include <utility>

namespace runvm {

template <class F>
class [[nodiscard]] Defer {
public:
    explicit Defer(F action) : action_(std::move(action)) {}
    Defer(const Defer&) = delete;
    Defer& operator=(const Defer&) = delete;
    ~Defer() {
        if (armed_)
            action_();
    }
    void dismiss() { armed_ = false; }

private:
    F action_;
    bool armed_ = true;
};

} // namespace runvm
