#include "cli/help.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace runvm::cli {

namespace {

constexpr size_t text_width = 90;

/// Breaks paragraphs into lines; lines that begin with a space stay as they are.
std::string wrap(std::string_view text, std::string_view indent) {
    std::string out(indent);
    size_t column = 0;
    while (!text.empty()) {
        if (text.starts_with("\n\n")) {
            out += "\n\n" + std::string(indent);
            column = 0;
            text.remove_prefix(2);
        } else if (text.front() == ' ' && column == 0) {
            const size_t end = std::min(text.find('\n'), text.size());
            out += text.substr(0, end);
            text.remove_prefix(end);
        } else if (text.front() == ' ') {
            text.remove_prefix(1);
        } else {
            const size_t end = std::min(text.find_first_of(" \n"), text.size());
            if (column > 0 && column + 1 + end > text_width) {
                out += "\n" + std::string(indent);
                column = 0;
            } else if (column > 0) {
                out += ' ';
                ++column;
            }
            out += text.substr(0, end);
            column += end;
            text.remove_prefix(end);
        }
    }
    return out;
}

std::string indent_lines(std::string_view text, std::string_view indent) {
    std::string out(indent);
    for (char c : text) {
        out += c;
        if (c == '\n')
            out += indent;
    }
    return out;
}

using Row = std::pair<std::string, std::string>;

std::string two_columns(const std::vector<Row>& rows) {
    size_t width = 0;
    for (const auto& [left, right] : rows)
        width = std::max(width, left.size());
    std::string out;
    for (const auto& [left, right] : rows) {
        out.append("   ").append(left).append(width - left.size() + 2, ' ');
        out.append(right).append("\n");
    }
    return out;
}

Row option_row(const Flag& flag) {
    const std::string value = takes_value(flag) ? " " + std::string(flag.placeholder) : "";
    std::string left = "--" + std::string(flag.name) + value;
    if (!flag.alias.empty())
        left += ", -" + std::string(flag.alias) + value;
    std::string right(flag.help);
    if (!flag.default_value.empty()) {
        const bool is_bare = flag.kind == ValueKind::integer || flag.kind == ValueKind::duration;
        const std::string quote = is_bare ? "" : "\"";
        right += " (default: " + quote + std::string(flag.default_value) + quote + ")";
    }
    return {std::move(left), std::move(right)};
}

std::string options(std::span<const Flag> flags) {
    std::vector<Row> rows;
    for (const Flag& flag : flags) {
        if (!flag.hidden)
            rows.push_back(option_row(flag));
    }
    return two_columns(rows);
}

std::string heading(std::string_view name) {
    return "\n" + std::string(name) + ":\n";
}

} // namespace

std::string program_help(std::string_view version) {
    const std::string name(program_name);
    std::vector<Row> rows;
    for (const Command& command : commands()) {
        if (command.available)
            rows.emplace_back(command.name, command.summary);
    }
    rows.emplace_back("help, h", "show this, or the help of one command");

    std::string out = "NAME:\n   " + name + " - " + std::string(program_summary) + "\n\n";
    out += wrap(program_description, "") + "\n";
    out += heading("USAGE") + "   " + name + " [global options] command [command options] [arguments...]\n";
    out += heading("VERSION") + "   " + std::string(version) + "\n";
    out += heading("COMMANDS") + two_columns(rows);
    out += heading("GLOBAL OPTIONS") + options(global_flags());
    return out;
}

std::string command_help(const Command& command) {
    const std::string full_name = std::string(program_name) + " " + std::string(command.name);
    std::string out = "NAME:\n   " + full_name + " - " + std::string(command.summary) + "\n";
    out += heading("USAGE") + "   " + full_name;
    if (!command.flags.empty())
        out += " [command options]";
    if (!command.synopsis.empty())
        out += " " + std::string(command.synopsis);
    out += "\n";
    if (!command.description.empty())
        out += heading("DESCRIPTION") + wrap(command.description, "   ") + "\n";
    if (!command.example.empty())
        out += heading("EXAMPLE") + indent_lines(command.example, "   # ") + "\n";
    if (!command.exit_status.empty())
        out += heading("EXIT STATUS") + wrap(command.exit_status, "   ") + "\n";
    if (!command.flags.empty())
        out += heading("OPTIONS") + options(command.flags);
    return out;
}

} // namespace runvm::cli
