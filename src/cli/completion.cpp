#include "cli/completion.h"

#include "cli/flags.h"

#include <vector>

namespace runvm::cli {

namespace {

constexpr std::string_view made_by =
    "# Made by runvm-docgen from src/cli/flags.cpp: change that, then build the target \"docs\".\n";

constexpr std::string_view signals = "HUP INT QUIT ABRT KILL USR1 USR2 TERM CONT STOP TSTP WINCH";

std::vector<const Command*> visible_commands() {
    std::vector<const Command*> result;
    for (const Command& command : commands()) {
        if (command.available)
            result.push_back(&command);
    }
    return result;
}

std::vector<const Flag*> visible_flags(std::span<const Flag> flags) {
    std::vector<const Flag*> result;
    for (const Flag& flag : flags) {
        if (!flag.hidden)
            result.push_back(&flag);
    }
    return result;
}

/// "--bundle|-b", or "--keep".
std::string spellings(const Flag& flag, std::string_view separator) {
    std::string out = "--" + std::string(flag.name);
    if (!flag.alias.empty())
        out += std::string(separator) + "-" + std::string(flag.alias);
    return out;
}

std::string all_spellings(std::span<const Flag> flags) {
    std::string out;
    for (const Flag* flag : visible_flags(flags))
        out += spellings(*flag, " ") + " ";
    if (find_flag(flags, help_flag.name) == nullptr)
        out += spellings(help_flag, " ") + " ";
    out.pop_back();
    return out;
}

/// The cases that complete the value of a flag, for bash.
std::string bash_value_cases(std::span<const Flag> flags, std::string_view indent) {
    std::string out;
    for (const Flag* flag : visible_flags(flags)) {
        if (!takes_value(*flag))
            continue;
        out += std::string(indent) + spellings(*flag, " | ") + ")";
        switch (flag->completion) {
        case Completion::none:
            out += " return ;;\n";
            break;
        case Completion::file:
            out += " __runvm_files -f; return ;;\n";
            break;
        case Completion::folder:
            out += " __runvm_files -d; return ;;\n";
            break;
        case Completion::choices:
            out += " __runvm_words \"" + std::string(flag->choices) + "\"; return ;;\n";
            break;
        }
    }
    return out;
}

constexpr std::string_view bash_start = R"sh(
__runvm_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

__runvm_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

__runvm_ids() {
    __runvm_words "$(runvm ${root:+--root "$root"} list -q 2>/dev/null)"
}

_runvm() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' root='' position=0 i
    COMPREPLY=()
    # bash splits --flag=value at the '='
    if [[ $cur == = ]]; then
        cur=''
    elif [[ $prev == = && $COMP_CWORD -ge 2 ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi

    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == = ]] && ((i++)) && continue
        case $command:${COMP_WORDS[i]} in
            :--root)
                root=${COMP_WORDS[i + 1]}
                [[ $root == = ]] && root=${COMP_WORDS[i + 2]}
                ;;&
)sh";

/// The case that steps over the values of a command's flags, for bash.
std::string bash_skip_value(const std::string& command, std::span<const Flag> flags) {
    std::string patterns;
    for (const Flag& flag : flags) {
        if (!takes_value(flag))
            continue;
        if (!patterns.empty())
            patterns += " | ";
        patterns += command + ":--" + std::string(flag.name);
        if (!flag.alias.empty())
            patterns += " | " + command + ":-" + std::string(flag.alias);
    }
    if (patterns.empty())
        return "";
    return "            " + patterns + ")\n                [[ ${COMP_WORDS[i + 1]} == = ]] || ((i++))\n" +
           "                ;;\n";
}

/// The case that completes a command's words, for bash.
std::string bash_command(const Command& command) {
    std::string out = "        " + std::string(command.name) + ")\n";
    if (!command.flags_after_arguments) {
        out += "            if ((position > 0)); then\n                __runvm_files -f\n"
               "                return\n            fi\n";
    }
    const std::string cases = bash_value_cases(command.flags, "                ");
    if (!cases.empty())
        out += "            case $prev in\n" + cases + "            esac\n";
    out += "            if [[ $cur == -* ]]; then\n                __runvm_words \"" +
           all_spellings(command.flags) + "\"\n";
    if (command.arguments != Arguments::none)
        out += "            elif ((position == 0)); then\n                __runvm_ids\n";
    if (command.arguments == Arguments::container_id_and_signal) {
        out += "            elif ((position == 1)); then\n                __runvm_words \"" +
               std::string(signals) + "\"\n";
    }
    return out + "            fi\n            ;;\n";
}

std::string zsh_quote(std::string_view text) {
    std::string out;
    for (char c : text) {
        if (c == '\'') {
            out += "'\\''";
        } else {
            if (c == '[' || c == ']' || c == ':' || c == '\\')
                out += '\\';
            out += c;
        }
    }
    return out;
}

std::string zsh_flag(const Flag& flag) {
    const bool is_list = flag.kind == ValueKind::text_list || flag.kind == ValueKind::integer_list;
    const std::string name = "--" + std::string(flag.name);
    const std::string text = "[" + zsh_quote(flag.help) + "]";
    std::string value;
    if (takes_value(flag)) {
        value = ":" + zsh_quote(flag.placeholder) + ":";
        if (flag.completion == Completion::file)
            value += "_files";
        if (flag.completion == Completion::folder)
            value += "_files -/";
        if (flag.completion == Completion::choices)
            value += "(" + std::string(flag.choices) + ")";
    }
    const std::string equals = takes_value(flag) ? "=" : "";
    if (flag.alias.empty())
        return "'" + std::string(is_list ? "*" : "") + name + equals + text + value + "'";
    const std::string alias = "-" + std::string(flag.alias);
    const std::string guard = is_list ? "'*'" : "'(" + name + " " + alias + ")'";
    return guard + "{" + name + equals + "," + alias + "}'" + text + value + "'";
}

std::string zsh_flags(std::span<const Flag> flags, std::string_view indent) {
    std::string out;
    for (const Flag* flag : visible_flags(flags))
        out += std::string(indent) + zsh_flag(*flag) + " \\\n";
    if (find_flag(flags, help_flag.name) == nullptr)
        out += std::string(indent) + zsh_flag(help_flag) + " \\\n";
    return out;
}

std::string zsh_arguments(const Command& command) {
    switch (command.arguments) {
    case Arguments::none:
        return command.max_arguments == 0 ? "" : "'1:container id: '";
    case Arguments::container_id:
        return command.flags_after_arguments ? "'1:container id:__runvm_ids'"
                                             : "'1:container id:__runvm_ids' '*::command:_normal'";
    case Arguments::container_id_and_signal:
        return "'1:container id:__runvm_ids' '2:signal:(" + std::string(signals) + ")'";
    }
    return "";
}

std::string fish_quote(std::string_view text) {
    std::string out = "'";
    for (char c : text) {
        if (c == '\'' || c == '\\')
            out += '\\';
        out += c;
    }
    return out + "'";
}

std::string fish_flag(const Flag& flag, std::string_view condition) {
    std::string out = "complete -c runvm -n " + fish_quote(condition) + " -l " + std::string(flag.name);
    if (!flag.alias.empty())
        out += " -s " + std::string(flag.alias);
    if (takes_value(flag)) {
        if (flag.completion == Completion::file)
            out += " -r -F";
        if (flag.completion == Completion::folder)
            out += " -x -a '(__fish_complete_directories)'";
        if (flag.completion == Completion::choices)
            out += " -x -a " + fish_quote(flag.choices);
        if (flag.completion == Completion::none)
            out += " -x";
    }
    return out + " -d " + fish_quote(flag.help) + "\n";
}

} // namespace

std::string bash_completion() {
    std::string names = "help";
    for (const Command* command : visible_commands())
        names += " " + std::string(command->name);

    std::string out = "# bash completion for runvm\n" + std::string(made_by) + std::string(bash_start);
    out += bash_skip_value("", global_flags());
    for (const Command* command : visible_commands())
        out += bash_skip_value(std::string(command->name), command->flags);
    out += R"sh(            *:-*) ;;
            :*) command=${COMP_WORDS[i]} ;;
            *) ((position++)) ;;
        esac
    done

    case $command in
        '')
            case $prev in
)sh";
    out += bash_value_cases(global_flags(), "                ");
    out += "            esac\n            if [[ $cur == -* ]]; then\n                __runvm_words \"" +
           all_spellings(global_flags()) + "\"\n            else\n                __runvm_words \"" + names +
           "\"\n            fi\n            ;;\n";
    for (const Command* command : visible_commands())
        out += bash_command(*command);
    out += "        help | h) __runvm_words \"" + names + "\" ;;\n    esac\n}\n\ncomplete -F _runvm runvm\n";
    return out;
}

std::string zsh_completion() {
    std::string out = "#compdef runvm\n" + std::string(made_by);
    out += R"sh(
__runvm_ids() {
    local -a ids root
    [[ -n $runvm_root ]] && root=(--root $runvm_root)
    ids=(${(f)"$(runvm $root list -q 2>/dev/null)"})
    _describe 'container id' ids
}

__runvm_commands() {
    local -a commands
    commands=(
)sh";
    for (const Command* command : visible_commands())
        out += "        '" + std::string(command->name) + ":" + zsh_quote(command->summary) + "'\n";
    out += R"sh(        'help:show the help of runvm or of one command'
    )
    _describe command commands
}

_runvm() {
    local context state state_descr line runvm_root
    local -A opt_args
    _arguments -C \
)sh";
    out += zsh_flags(global_flags(), "        ");
    out += "        '1:command:__runvm_commands' '*::argument:->arguments' && return\n"
           "    [[ $state == arguments ]] || return\n"
           "    runvm_root=$opt_args[--root]\n    case $words[1] in\n";
    for (const Command* command : visible_commands()) {
        // -A: exec's flags end at its first argument.
        const std::string only_before = command->flags_after_arguments ? "" : " -A '-*'";
        out += "        " + std::string(command->name) + ")\n            _arguments" + only_before + " \\\n" +
               zsh_flags(command->flags, "                ");
        const std::string arguments = zsh_arguments(*command);
        out += "                " + (arguments.empty() ? "'*: :_message \"no arguments\"'" : arguments) +
               " ;;\n";
    }
    return out + "        help) __runvm_commands ;;\n    esac\n}\n\n_runvm \"$@\"\n";
}

std::string fish_completion() {
    std::string names;
    for (const Command* command : visible_commands())
        names += std::string(command->name) + " ";
    names += "help";

    std::string out = "# fish completion for runvm\n" + std::string(made_by) + "\n";
    out += "function __runvm_ids\n"
           "    set -l words (commandline -opc)\n"
           "    set -l root\n"
           "    if set -l at (contains -i -- --root $words)\n"
           "        set root --root $words[(math $at + 1)]\n"
           "    end\n"
           "    runvm $root list -q 2>/dev/null\n"
           "end\n\n";
    out += "complete -c runvm -f\n";
    const std::string no_command = "not __fish_seen_subcommand_from " + names;
    for (const Command* command : visible_commands())
        out += "complete -c runvm -n " + fish_quote(no_command) + " -a " + std::string(command->name) +
               " -d " + fish_quote(command->summary) + "\n";
    out += "complete -c runvm -n " + fish_quote(no_command) + " -a help -d 'show help'\n";
    for (const Flag* flag : visible_flags(global_flags()))
        out += fish_flag(*flag, no_command);
    for (const Command* command : visible_commands()) {
        const std::string seen = "__fish_seen_subcommand_from " + std::string(command->name);
        out += "\n";
        for (const Flag* flag : visible_flags(command->flags))
            out += fish_flag(*flag, seen);
        out += fish_flag(help_flag, seen);
        if (command->arguments != Arguments::none)
            out += "complete -c runvm -n " + fish_quote(seen) + " -a '(__runvm_ids)'\n";
        if (command->arguments == Arguments::container_id_and_signal)
            out += "complete -c runvm -n " + fish_quote(seen) + " -a " + fish_quote(signals) + "\n";
    }
    return out;
}

} // namespace runvm::cli
