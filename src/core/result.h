#pragma once
// A value or an error. Every function of ours that can fail for a reason a user may see returns a Result;
// exceptions are for bugs only (and for kj, whose promises carry them: see channel/rpc_error.h).

#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace runvm {

/// What went wrong, coarsely: what a caller of the function can act upon. The wording for people is in
/// `message`; the exact words that other programs match are chosen at the CLI's edge (oci/caller_words.h).
/// The numbers are the protocol's (protocol/common.capnp): append only.
enum class ErrorKind {
    internal = 0,           ///< a bug, or something nobody foresaw
    invalid_argument,       ///< the user's input is wrong: file and key are named in the message
    not_found,              ///< the container, process or sandbox does not exist
    already_exists,         ///< the id is taken
    wrong_state,            ///< not possible in the container's present state
    unsupported,            ///< understood, but not honoured by runvm: the field is named in the message
    system,                 ///< a system call failed: see errno_value
    unavailable,            ///< the sandbox is gone or does not answer
    timeout,                ///< a step took longer than it may
    corrupted,              ///< a state file or a message cannot be read
    guest,                  ///< the guest broke the protocol or failed to boot
    command_not_found,      ///< the container's executable is not in its PATH, or does not exist
    command_not_executable, ///< the container's executable exists but cannot be executed
    process_finished,       ///< the process is not there any more
    interrupted,            ///< a signal asked the command to end while it waited
};

class Error {
public:
    Error(ErrorKind kind, std::string message, int errno_value = 0)
        : kind_(kind), errno_value_(errno_value), message_(std::move(message)) {}

    ErrorKind kind() const { return kind_; }
    int errno_value() const { return errno_value_; }
    /// The innermost sentence, without its context.
    const std::string& message() const { return message_; }
    /// The steps that failed, innermost first.
    const std::vector<std::string>& context() const { return context_; }

    /// Names the step that failed because of this error: "start sandbox: open /dev/kvm: Permission denied".
    Error& add_context(std::string step) & {
        context_.push_back(std::move(step));
        return *this;
    }
    Error&& add_context(std::string step) && {
        context_.push_back(std::move(step));
        return std::move(*this);
    }

    /// The whole chain, outermost step first, on one line unless the message itself has more.
    std::string to_string() const;

private:
    ErrorKind kind_;
    int errno_value_;
    std::string message_;
    std::vector<std::string> context_;
};

/// An error of kind `system` for the present errno: "WHAT: strerror". `what` names call and object: "open
/// /x".
Error system_error(std::string_view what, int errno_value = errno);

struct Unit {};

template <class T>
class [[nodiscard]] Result {
public:
    using Value = T;
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}     // NOLINT: implicit by intention
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {} // NOLINT: implicit by intention

    bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }
    T& value() & { return std::get<0>(state_); }
    const T& value() const& { return std::get<0>(state_); }
    T&& value() && { return std::get<0>(std::move(state_)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }
    Error& error() & { return std::get<1>(state_); }
    const Error& error() const& { return std::get<1>(state_); }
    Error&& error() && { return std::get<1>(std::move(state_)); }

    /// The same result, its error (if it is one) with the step that failed.
    Result&& context(std::string step) && {
        if (!ok())
            error().add_context(std::move(step));
        return std::move(*this);
    }

private:
    std::variant<T, Error> state_;
};

/// Result<void>: success carries nothing.
template <>
class [[nodiscard]] Result<void> {
public:
    using Value = void;
    Result() = default;
    Result(Unit) {}                                   // NOLINT: implicit by intention
    Result(Error error) : error_(std::move(error)) {} // NOLINT: implicit by intention

    bool ok() const { return !error_; }
    explicit operator bool() const { return ok(); }
    Error& error() & { return *error_; }
    const Error& error() const& { return *error_; }
    Error&& error() && { return *std::move(error_); }
    Result&& context(std::string step) && {
        if (error_)
            error_->add_context(std::move(step));
        return std::move(*this);
    }

private:
    std::optional<Error> error_;
};

} // namespace runvm

#define RUNVM_JOIN(a, b) a##b
#define RUNVM_CONCAT(a, b) RUNVM_JOIN(a, b)

/// Returns the error of `expr` (a Result) from the enclosing function, if it is one.
#define RUNVM_TRY(...)                                                                                       \
    do {                                                                                                     \
        if (auto runvm_result_ = (__VA_ARGS__); !runvm_result_)                                              \
            return std::move(runvm_result_).error();                                                         \
    } while (false)

/// RUNVM_ASSIGN(auto x, f()): x is the value of f(), or its error is returned from the enclosing function.
#define RUNVM_ASSIGN(declaration, ...)                                                                       \
    auto RUNVM_CONCAT(runvm_value_, __LINE__) = (__VA_ARGS__);                                               \
    if (!RUNVM_CONCAT(runvm_value_, __LINE__))                                                               \
        return std::move(RUNVM_CONCAT(runvm_value_, __LINE__)).error();                                      \
    declaration = std::move(RUNVM_CONCAT(runvm_value_, __LINE__)).value()
