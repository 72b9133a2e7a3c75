#pragma once
// Command lines as runc reads them. runc uses Go's flag package through urfave/cli v1, and its callers rely
// on it: one dash or two before any name (`-no-subreaper`: go-runc), `--flag=value` and `--flag value`, no
// bundles of short flags, `--rootless=true` with the words of strconv.ParseBool, flags behind arguments
// except for exec and ps.

#include "cli/flags.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runvm::cli {

/// The flags that were given, and the defaults of the others. Asking for a flag that is not in the table, or
/// for another type than its own, is a bug and throws std::logic_error.
class Values {
public:
    explicit Values(std::span<const Flag> flags) : flags_(flags) {}

    bool given(std::string_view name) const;
    bool boolean(std::string_view name) const;
    std::string text(std::string_view name) const;
    /// The last value that was given, as it was written, of a flag of any kind; empty if there is none.
    std::string any(std::string_view name) const;
    int integer(std::string_view name) const;
    int64_t duration_ms(std::string_view name) const;
    std::vector<std::string> texts(std::string_view name) const;
    std::vector<int> integers(std::string_view name) const;

    /// Takes a value down after checking it. The error is runc's: `invalid value "x" for flag -g: parse
    /// error`.
    std::optional<std::string> add(const Flag& flag, std::string_view name_as_given, std::string value);

private:
    const Flag& flag(std::string_view name, ValueKind kind) const;
    const std::string* last(const Flag& flag) const;

    std::span<const Flag> flags_;
    std::vector<std::pair<const Flag*, std::string>> values_;
};

/// What a command line asks for.
struct Invocation {
    enum class Action {
        run,       ///< `command`
        show_help, ///< of `command`, or of the program if that is null
        show_version,
        refuse,          ///< the line is wrong: `error`, and the help of `command` or of the program
        no_such_command, ///< `error`
        not_available,   ///< `error`
    };
    Action action = Action::show_help;
    const Command* command = nullptr;
    Values globals{global_flags()}; ///< those before the command, also where the rest is wrong
    Values flags{{}};
    std::vector<std::string> arguments;
    std::string error; ///< in runc's words
};

/// `words` begins with the program's own name, as argv does.
Invocation parse(const std::vector<std::string>& words);

/// Go's strconv.ParseBool.
std::optional<bool> parse_boolean(std::string_view text);
/// Go's strconv.ParseInt with base 0, as an int.
std::optional<int> parse_integer(std::string_view text);
/// Go's time.ParseDuration ("1h2m3.5s"), in milliseconds; what is left below one is rounded up, so that no
/// positive duration becomes 0.
std::optional<int64_t> parse_duration_ms(std::string_view text);

} // namespace runvm::cli
