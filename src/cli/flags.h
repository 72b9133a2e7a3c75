#pragma once
// The grammar of runvm's command line as one table. It feeds the parser (parser.h), --help (help.h), the
// shell completions (completion.h) and the man pages (man_page.h), so that they cannot contradict each other.

#include <span>
#include <string_view>

namespace runvm::cli {

enum class ValueKind {
    boolean,      ///< given or not; also --flag=true, --flag=0 and the other words of Go's strconv.ParseBool
    text,         ///< the last one given counts
    integer,      ///< decimal, 0x, 0o or 0b
    duration,     ///< of Go's time.ParseDuration: 5s, 1m30s, 250ms
    text_list,    ///< may be given several times
    integer_list, ///< may be given several times
};

/// What a shell offers as a flag's value.
enum class Completion { none, file, folder, choices };

struct Flag {
    std::string_view name;       ///< without dashes
    std::string_view alias = {}; ///< one letter, or empty
    ValueKind kind = ValueKind::boolean;
    std::string_view placeholder = {}; ///< the value in help and man page: "path"
    std::string_view default_value = {};
    std::string_view help = {};
    std::string_view needed_by =
        {}; ///< the callers that send it, separated by spaces; tested against their lines
    Completion completion = Completion::none;
    std::string_view choices = {}; ///< separated by spaces, for Completion::choices
    bool hidden = false;           ///< accepted, but in no help: a no-op that a caller sends
};

/// What a shell offers as a command's arguments.
enum class Arguments { none, container_id, container_id_and_signal };

struct Command {
    std::string_view name;
    std::string_view summary = {};     ///< one line
    std::string_view synopsis = {};    ///< the arguments in the usage line
    std::string_view description = {}; ///< paragraphs, separated by empty lines
    std::string_view example = {};     ///< verbatim lines
    std::string_view exit_status = {}; ///< empty: 0 or 1
    std::span<const Flag> flags = {};
    int min_arguments = 0;
    int max_arguments = -1; ///< -1: any number
    /// False: the first argument ends the flags, so that `exec ID sh -c ...` passes -c on.
    bool flags_after_arguments = true;
    Arguments arguments = Arguments::none;
    bool available = true; ///< false: runc has it, runvm not yet; in no help
};

inline constexpr std::string_view program_name = "runvm";
inline constexpr std::string_view program_summary =
    "Open Container Initiative runtime for containers in virtual machines";
extern const std::string_view program_description;

/// --help is every command's; it is in no table of flags.
extern const Flag help_flag;

/// What may stand before the command, in the order of the help, with --help and --version.
std::span<const Flag> global_flags();
/// In the order of the help.
std::span<const Command> commands();
/// Null if there is no such command.
const Command* find_command(std::string_view name);
/// By name or alias, without dashes; null if there is none.
const Flag* find_flag(std::span<const Flag> flags, std::string_view name);

/// True if the flag takes a value from the next word.
constexpr bool takes_value(const Flag& flag) {
    return flag.kind != ValueKind::boolean;
}

} // namespace runvm::cli
