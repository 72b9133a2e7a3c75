#include "cli/man_page.h"

#include <algorithm>

namespace runvm::cli {

namespace {

/// roff gives backslashes and dashes a meaning anywhere, and dots and quotes at a line's begin.
std::string escape(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool line_begins = i == 0 || text[i - 1] == '\n';
        if (line_begins && (c == '.' || c == '\''))
            out += "\\&";
        if (c == '\\') {
            out += "\\e";
        } else if (c == '-') {
            out += "\\-";
        } else {
            out += c;
        }
    }
    return out;
}

std::string upper(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::toupper(c); });
    return out;
}

std::string bold(std::string_view text) {
    return "\\fB" + escape(text) + "\\fR";
}

std::string italic(std::string_view text) {
    return "\\fI" + escape(text) + "\\fR";
}

/// Paragraphs; lines that begin with spaces are shown as they are.
std::string paragraphs(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const size_t end = std::min(text.find("\n\n"), text.size());
        const std::string_view paragraph = text.substr(0, end);
        if (paragraph.starts_with(' ')) {
            out += ".PP\n.EX\n" + escape(paragraph) + "\n.EE\n";
        } else {
            out += (out.empty() ? "" : ".PP\n") + escape(paragraph) + "\n";
        }
        text.remove_prefix(std::min(end + 2, text.size()));
    }
    return out;
}

std::string sentence(std::string_view text) {
    std::string out(text);
    out.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(out.front())));
    return out + ".";
}

std::string option(const Flag& flag) {
    std::string names = bold("--" + std::string(flag.name));
    if (!flag.alias.empty())
        names += ", " + bold("-" + std::string(flag.alias));
    if (takes_value(flag))
        names += " " + italic(flag.placeholder);
    std::string text = escape(sentence(flag.help));
    const bool is_list = flag.kind == ValueKind::text_list || flag.kind == ValueKind::integer_list;
    if (is_list)
        text += " Can be given several times.";
    if (!flag.default_value.empty())
        text += " Default: " + bold(flag.default_value) + ".";
    return ".TP\n" + names + "\n" + text + "\n";
}

std::string options(std::span<const Flag> flags) {
    std::string out;
    for (const Flag& flag : flags) {
        if (!flag.hidden)
            out += option(flag);
    }
    return out;
}

/// No date and no version: the pages change only when the table does.
std::string header(const std::string& name) {
    return ".\\\" Made by runvm-docgen from src/cli/flags.cpp: change that, then build the target \"docs\".\n"
           ".TH " +
           upper(name) + " 8 \"\" \"runvm\" \"System Manager's Manual\"\n";
}

std::string page_reference(std::string_view command) {
    return ".BR runvm" + (command.empty() ? std::string() : "\\-" + escape(command)) + " (8)";
}

} // namespace

std::string program_man_page() {
    std::string out = header("runvm");
    out += ".SH NAME\nrunvm \\- " + escape(program_summary) + "\n";
    out += ".SH SYNOPSIS\n.B runvm\n[\\fIglobal option\\fR ...] \\fIcommand\\fR [\\fIoption\\fR ...] "
           "[\\fIargument\\fR ...]\n";
    out += ".SH DESCRIPTION\n" + paragraphs(program_description);
    out += ".SH COMMANDS\n";
    for (const Command& command : commands()) {
        if (!command.available)
            continue;
        out += ".TP\n" + page_reference(command.name) + "\n" + escape(sentence(command.summary)) + "\n";
    }
    out += ".SH GLOBAL OPTIONS\nThey stand before the command. One dash does for two.\n" +
           options(global_flags());
    out += ".SH EXIT STATUS\n" +
           paragraphs("0 if the command did what it should, 1 if not; run and exec end as the "
                      "container's process does. The reason is the last line of the log.");
    out += ".SH FILES\n";
    out += ".TP\n.I /etc/runvm/config.toml\nThe configuration; every key is explained in it. Where runvm is "
           "installed below a prefix, it is in that prefix's etc.\n";
    out += ".TP\n.I /run/runvm\nThe state of containers and sandboxes.\n";
    out += ".SH ENVIRONMENT\n.TP\n.B XDG_RUNTIME_DIR\nFor users other than root, state is kept in "
           "\\fBrunvm\\fR below "
           "this folder.\n";
    out += ".SH SEE ALSO\n";
    std::string separator;
    for (const Command& command : commands()) {
        if (!command.available)
            continue;
        out += separator + page_reference(command.name);
        separator = " ,\n";
    }
    return out + "\n";
}

std::string command_man_page(const Command& command) {
    const std::string name = "runvm-" + std::string(command.name);
    std::string out = header(name);
    out += ".SH NAME\n" + escape(name) + " \\- " + escape(command.summary) + "\n";
    out += ".SH SYNOPSIS\n.B runvm " + escape(command.name) + "\n";
    if (!command.flags.empty())
        out += "[\\fIoption\\fR ...]\n";
    if (!command.synopsis.empty())
        out += escape(command.synopsis) + "\n";
    if (!command.description.empty())
        out += ".SH DESCRIPTION\n" + paragraphs(command.description);
    if (!command.flags.empty())
        out += ".SH OPTIONS\n" + options(command.flags);
    out += ".SH EXIT STATUS\n";
    out +=
        escape(command.exit_status.empty() ? "0 on success, 1 if something failed." : command.exit_status) +
        "\n";
    if (!command.example.empty())
        out += ".SH EXAMPLE\n.EX\n" + escape(command.example) + "\n.EE\n";
    return out + ".SH SEE ALSO\n" + page_reference("") + "\n";
}

} // namespace runvm::cli
