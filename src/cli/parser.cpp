#include "cli/parser.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>

namespace runvm::cli {

namespace {

/// Reads the flags of one set from a list of words; what is no flag is left as arguments.
class WordReader {
public:
    WordReader(std::span<const std::string> words, std::span<const Flag> flags, Values& values)
        : words_(words), flags_(flags), values_(values) {}

    /// True when --help was among them.
    bool help_asked() const { return help_asked_; }
    std::span<const std::string> rest() const { return words_; }

    /// Reads flags up to the first argument, and over "--". An error's text if there is one.
    std::optional<std::string> read_leading() {
        while (!words_.empty() && looks_like_flag(words_.front())) {
            if (auto error = read_flag())
                return error;
        }
        if (!words_.empty() && words_.front() == "--") {
            words_ = words_.subspan(1);
            flags_ended_ = true;
        }
        return std::nullopt;
    }

    /// After read_leading: moves the rest to `arguments`, taking known flags out. An unknown one is an
    /// argument, so that `kill ID -9` works, as in runc (urfave/cli's reorderArgs).
    std::optional<std::string> read_arguments(std::vector<std::string>& arguments) {
        while (!words_.empty()) {
            const std::string& word = words_.front();
            if (!flags_ended_ && word == "--") {
                flags_ended_ = true;
            } else if (!flags_ended_ && looks_like_flag(word) && is_known(name_of(word))) {
                if (auto error = read_flag())
                    return error;
                continue;
            } else {
                arguments.push_back(word);
            }
            words_ = words_.subspan(1);
        }
        return std::nullopt;
    }

private:
    static bool looks_like_flag(std::string_view word) {
        return word.size() >= 2 && word.front() == '-' && word != "--";
    }

    static std::string_view name_of(std::string_view word) {
        word.remove_prefix(word.starts_with("--") ? 2 : 1);
        return word.substr(0, word.find('='));
    }

    static bool is_help(std::string_view name) { return name == help_flag.name || name == help_flag.alias; }

    bool is_known(std::string_view name) const { return is_help(name) || find_flag(flags_, name) != nullptr; }

    std::optional<std::string> read_flag() {
        const std::string_view word = words_.front();
        const std::string name(name_of(word));
        if (name.empty() || name.front() == '-')
            return "bad flag syntax: " + std::string(word);
        const Flag* flag = find_flag(flags_, name);
        if (flag == nullptr && !is_help(name))
            return "flag provided but not defined: -" + name;
        words_ = words_.subspan(1);

        const size_t equals = word.find('=');
        if (is_help(name)) {
            help_asked_ =
                equals == std::string_view::npos || parse_boolean(word.substr(equals + 1)).value_or(true);
            return std::nullopt;
        }
        if (equals != std::string_view::npos)
            return values_.add(*flag, name, std::string(word.substr(equals + 1)));
        if (!takes_value(*flag))
            return values_.add(*flag, name, "true");
        if (words_.empty())
            return "flag needs an argument: -" + name;
        std::string value = words_.front();
        words_ = words_.subspan(1);
        return values_.add(*flag, name, std::move(value));
    }

    std::span<const std::string> words_;
    std::span<const Flag> flags_;
    Values& values_;
    bool help_asked_ = false;
    bool flags_ended_ = false;
};

void refuse(Invocation& invocation, std::string error) {
    invocation.action = Invocation::Action::refuse;
    invocation.error = std::move(error);
}

/// runc's checkArgs (utils.go), with the program's name as it was called.
std::string wrong_argument_count(const Command& command, size_t count, const std::string& program) {
    const std::string prefix = program + ": \"" + std::string(command.name) + "\" requires ";
    const bool too_few = count < static_cast<size_t>(command.min_arguments);
    const bool too_many = command.max_arguments >= 0 && count > static_cast<size_t>(command.max_arguments);
    if (!too_few && !too_many)
        return {};
    if (command.min_arguments == command.max_arguments)
        return prefix + "exactly " + std::to_string(command.min_arguments) + " argument(s)";
    if (too_few)
        return prefix + "a minimum of " + std::to_string(command.min_arguments) + " argument(s)";
    return prefix + "a maximum of " + std::to_string(command.max_arguments) + " argument(s)";
}

void find_topic(Invocation& invocation, const std::string& name) {
    invocation.command = find_command(name);
    if (invocation.command == nullptr) {
        invocation.action = Invocation::Action::no_such_command;
        invocation.error = "No help topic for '" + name + "'";
    } else if (!invocation.command->available) {
        invocation.action = Invocation::Action::not_available;
        invocation.error = std::string(program_name) + " " + name + " is not available yet";
    }
}

void parse_command(Invocation& invocation, std::span<const std::string> words, const std::string& program) {
    const Command& command = *invocation.command;
    invocation.action = Invocation::Action::run;
    invocation.flags = Values(command.flags);
    WordReader reader(words, command.flags, invocation.flags);
    if (auto error = reader.read_leading())
        return refuse(invocation, std::move(*error));
    if (command.flags_after_arguments) {
        if (auto error = reader.read_arguments(invocation.arguments))
            return refuse(invocation, std::move(*error));
    } else {
        invocation.arguments.assign(reader.rest().begin(), reader.rest().end());
    }
    if (reader.help_asked()) {
        invocation.action = Invocation::Action::show_help;
        return;
    }
    if (auto error = wrong_argument_count(command, invocation.arguments.size(), program); !error.empty())
        refuse(invocation, std::move(error));
}

} // namespace

std::optional<bool> parse_boolean(std::string_view text) {
    for (std::string_view word : {"1", "t", "T", "TRUE", "true", "True"}) {
        if (text == word)
            return true;
    }
    for (std::string_view word : {"0", "f", "F", "FALSE", "false", "False"}) {
        if (text == word)
            return false;
    }
    return std::nullopt;
}

std::optional<int> parse_integer(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+'))
        text.remove_prefix(1);
    int base = 10;
    if (text.size() > 1 && text.front() == '0') {
        const char letter = static_cast<char>(text[1] | 0x20);
        base = letter == 'x' ? 16 : letter == 'b' ? 2 : 8;
        text.remove_prefix(letter == 'x' || letter == 'b' || letter == 'o' ? 2 : 1);
    }
    if (text.starts_with('-'))
        return std::nullopt;
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return negative ? -value : value;
}

std::optional<int64_t> parse_duration_ms(std::string_view text) {
    constexpr std::pair<std::string_view, double> units_ms[] = {
        {"ns", 1e-6}, {"us", 1e-3}, {"\u00b5s", 1e-3}, {"\u03bcs", 1e-3},
        {"ms", 1},    {"s", 1e3},   {"m", 60e3},       {"h", 3600e3}};
    constexpr double largest_ms = 9.2e12; // 2^63 ns, as in Go
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+'))
        text.remove_prefix(1);
    if (text == "0")
        return 0;
    double sum_ms = 0;
    do {
        const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
        double number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number);
        if (error != std::errc() || end != text.data() + digits)
            return std::nullopt;
        text.remove_prefix(digits);
        const size_t letters = std::min(text.find_first_of("0123456789."), text.size());
        const auto* unit =
            std::ranges::find(units_ms, text.substr(0, letters), &std::pair<std::string_view, double>::first);
        if (unit == std::end(units_ms))
            return std::nullopt;
        sum_ms += number * unit->second;
        text.remove_prefix(letters);
    } while (!text.empty());
    if (sum_ms > largest_ms)
        return std::nullopt;
    const auto rounded = static_cast<int64_t>(std::ceil(sum_ms));
    return negative ? -rounded : rounded;
}

std::optional<std::string> Values::add(const Flag& flag, std::string_view name_as_given, std::string value) {
    const std::string name = "-" + std::string(name_as_given);
    if (flag.kind == ValueKind::boolean && !parse_boolean(value))
        return "invalid boolean value \"" + value + "\" for " + name + ": parse error";
    const bool is_number = flag.kind == ValueKind::integer || flag.kind == ValueKind::integer_list;
    if (is_number && !parse_integer(value))
        return "invalid value \"" + value + "\" for flag " + name + ": parse error";
    if (flag.kind == ValueKind::duration && !parse_duration_ms(value))
        return "invalid value \"" + value + "\" for flag " + name + ": parse error";
    values_.emplace_back(&flag, std::move(value));
    return std::nullopt;
}

const Flag& Values::flag(std::string_view name, ValueKind kind) const {
    const auto found = std::ranges::find(flags_, name, &Flag::name);
    if (found == flags_.end() || found->kind != kind)
        throw std::logic_error("no flag of this kind in the table: " + std::string(name));
    return *found;
}

const std::string* Values::last(const Flag& flag) const {
    for (auto entry = values_.rbegin(); entry != values_.rend(); ++entry) {
        if (entry->first == &flag)
            return &entry->second;
    }
    return nullptr;
}

bool Values::given(std::string_view name) const {
    return std::ranges::any_of(values_, [&](const auto& entry) { return entry.first->name == name; });
}

bool Values::boolean(std::string_view name) const {
    const std::string* value = last(flag(name, ValueKind::boolean));
    return value != nullptr && *parse_boolean(*value);
}

std::string Values::text(std::string_view name) const {
    const Flag& wanted = flag(name, ValueKind::text);
    const std::string* value = last(wanted);
    return value != nullptr ? *value : std::string(wanted.default_value);
}

std::string Values::any(std::string_view name) const {
    const auto found = std::ranges::find(flags_, name, &Flag::name);
    if (found == flags_.end())
        throw std::logic_error("no flag of this name in the table: " + std::string(name));
    const std::string* value = last(*found);
    return value != nullptr ? *value : std::string();
}

int Values::integer(std::string_view name) const {
    const Flag& wanted = flag(name, ValueKind::integer);
    const std::string* value = last(wanted);
    return *parse_integer(value != nullptr ? std::string_view(*value) : wanted.default_value);
}

int64_t Values::duration_ms(std::string_view name) const {
    const Flag& wanted = flag(name, ValueKind::duration);
    const std::string* value = last(wanted);
    return *parse_duration_ms(value != nullptr ? std::string_view(*value) : wanted.default_value);
}

std::vector<std::string> Values::texts(std::string_view name) const {
    const Flag& wanted = flag(name, ValueKind::text_list);
    std::vector<std::string> result;
    for (const auto& [given_flag, value] : values_) {
        if (given_flag == &wanted)
            result.push_back(value);
    }
    return result;
}

std::vector<int> Values::integers(std::string_view name) const {
    const Flag& wanted = flag(name, ValueKind::integer_list);
    std::vector<int> result;
    for (const auto& [given_flag, value] : values_) {
        if (given_flag == &wanted)
            result.push_back(*parse_integer(value));
    }
    return result;
}

Invocation parse(const std::vector<std::string>& words) {
    Invocation invocation;
    const std::string program = words.empty() ? std::string(program_name) : words.front();
    std::span<const std::string> rest(words);
    if (!rest.empty())
        rest = rest.subspan(1);

    WordReader reader(rest, global_flags(), invocation.globals);
    if (auto error = reader.read_leading()) {
        refuse(invocation, std::move(*error));
        return invocation;
    }
    rest = reader.rest();
    if (reader.help_asked())
        return invocation;
    if (invocation.globals.boolean("version")) {
        invocation.action = Invocation::Action::show_version;
        return invocation;
    }
    if (rest.empty())
        return invocation;

    const bool is_help = rest.front() == "help" || rest.front() == "h";
    if (is_help) {
        if (rest.size() > 1)
            find_topic(invocation, rest[1]);
        return invocation;
    }
    invocation.action = Invocation::Action::run;
    find_topic(invocation, rest.front());
    if (invocation.action == Invocation::Action::run)
        parse_command(invocation, rest.subspan(1), program);
    return invocation;
}

} // namespace runvm::cli
