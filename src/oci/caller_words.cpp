#include "oci/caller_words.h"

#include <array>
#include <cctype>
#include <span>
#include <strings.h>

namespace runvm::oci {

namespace {

struct Wording {
    const char* matched; ///< by a caller, in any case
    const char* instead; ///< for an error that does not mean that
};

// Longer ones first where one contains the other. Who matches: moby daemon/start.go
// (translateContainerdStartErr) and Podman libpod/define/exec_codes.go for execve's; containerd pkg/process
// (checkKillError) and CRI-O internal/oci/runtime_oci.go for the rest.
constexpr Wording execve_words[] = {
    {"no such file or directory", "is missing"}, {"executable file not found in", "program is missing from"},
    {"permission denied", "access was refused"}, {"operation not permitted", "is not allowed"},
    {"is not a directory", "is not a folder"},   {"not a directory", "not a folder"},
    {"is a directory", "is a folder"},
};

constexpr Wording process_words[] = {
    {"os: process already finished", "the process has ended"},
    {"no such process", "the process is gone"},
    {"container not running", "the container has ended"},
    {"invalid process", "the process is not valid"},
    {"does not exist", "is missing"},
};

size_t find_ignoring_case(const std::string& text, std::string_view words, size_t from) {
    for (size_t at = from; at + words.size() <= text.size(); ++at)
        if (strncasecmp(text.data() + at, words.data(), words.size()) == 0)
            return at;
    return std::string::npos;
}

void replace_all(std::string& text, std::string_view words, std::string_view instead) {
    size_t at = 0;
    while ((at = find_ignoring_case(text, words, at)) != std::string::npos) {
        text.replace(at, words.size(), instead);
        at += instead.size();
    }
}

void reword(std::string& text, std::span<const Wording> table) {
    // Until nothing is left: a replacement may complete another one's words.
    for (bool changed = true; changed;) {
        std::string before = text;
        for (const Wording& wording : table)
            replace_all(text, wording.matched, wording.instead);
        changed = before != text;
    }
}

// glibc writes "Permission denied" where Go, and so runc, writes "permission denied": not all callers ignore
// case.
void to_go_spelling(std::string& text, std::span<const Wording> table) {
    for (const Wording& wording : table)
        replace_all(text, wording.matched, wording.matched);
}

bool contains_any(const std::string& text, std::span<const char* const> words) {
    for (const char* word : words)
        if (text.find(word) != std::string::npos)
            return true;
    return false;
}

// runc's words for an error of the user's command (libcontainer/process_linux.go): people know them from
// their engine.
Error of_the_process(const Error& error) {
    Error named(error.kind(), error.message(), error.errno_value());
    named.add_context("unable to start container process");
    for (const std::string& step : error.context())
        named.add_context(step);
    return named;
}

} // namespace

std::string for_caller(const Error& error) {
    static constexpr std::array not_found = {"executable file not found in", "no such file or directory",
                                             "not a directory"};
    static constexpr std::array not_executable = {"permission denied", "operation not permitted",
                                                  "is a directory", "exec format error"};
    static constexpr const char* finished = "os: process already finished";

    std::string text = error.to_string();
    switch (error.kind()) {
    case ErrorKind::command_not_found:
        text = of_the_process(error).to_string();
        to_go_spelling(text, execve_words);
        reword(text, process_words);
        if (!contains_any(text, not_found))
            text += ": no such file or directory";
        break;
    case ErrorKind::command_not_executable:
        text = of_the_process(error).to_string();
        to_go_spelling(text, execve_words);
        replace_all(text, "exec format error", "exec format error");
        reword(text, process_words);
        if (!contains_any(text, not_executable))
            text += ": permission denied";
        break;
    case ErrorKind::process_finished:
        reword(text, execve_words);
        to_go_spelling(text, process_words);
        if (text.find(finished) == std::string::npos)
            text += ": " + std::string(finished);
        break;
    case ErrorKind::not_found:
    case ErrorKind::wrong_state:
        reword(text, execve_words);
        to_go_spelling(text, process_words);
        break;
    default:
        reword(text, execve_words);
        reword(text, process_words);
        break;
    }
    return text;
}

int exit_code(const Error&, std::string_view command) {
    constexpr int exec_failed = 255;
    return command == "exec" ? exec_failed : 1;
}

} // namespace runvm::oci
