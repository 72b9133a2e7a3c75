#include "oci/log.h"

#include "oci/go_json.h"
#include "os/file.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <ctime>

namespace runvm::oci {

namespace {

// RFC 3339 in local time, in seconds, as logrus writes it: "2026-11-21T22:21:27Z", "...+01:00".
std::string now_text() {
    std::time_t now = std::time(nullptr);
    std::tm local{};
    ::localtime_r(&now, &local);
    std::array<char, 40> buffer{};
    size_t length = std::strftime(buffer.data(), buffer.size(), "%Y-%m-%dT%H:%M:%S", &local);
    std::string text(buffer.data(), length);
    long offset_minutes = local.tm_gmtoff / 60;
    if (offset_minutes == 0)
        return text + "Z";
    long minutes = std::abs(offset_minutes);
    length = static_cast<size_t>(std::snprintf(buffer.data(), buffer.size(), "%c%02ld:%02ld",
                                               offset_minutes < 0 ? '-' : '+', minutes / 60, minutes % 60));
    return text.append(buffer.data(), length);
}

// logrus's TextFormatter.needsQuoting.
bool needs_quotes(std::string_view text) {
    constexpr std::string_view plain = "-._/@^+";
    for (char c : text)
        if (std::isalnum(static_cast<unsigned char>(c)) == 0 && plain.find(c) == std::string_view::npos)
            return true;
    return false;
}

// Go's %q, but that all of what is not ASCII stays as it is.
std::string quote(std::string_view text) {
    std::string quoted = "\"";
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            quoted += '\\';
            quoted += c;
        } else if (c == '\n') {
            quoted += "\\n";
        } else if (c == '\r') {
            quoted += "\\r";
        } else if (c == '\t') {
            quoted += "\\t";
        } else if (byte < 0x20 || byte == 0x7f) {
            std::array<char, 5> escape{};
            std::snprintf(escape.data(), escape.size(), "\\x%02x", byte);
            quoted += escape.data();
        } else {
            quoted += c;
        }
    }
    return quoted + "\"";
}

} // namespace

std::string log_line_json(std::string_view level, std::string_view message, std::string_view time) {
    nlohmann::ordered_json line = {{"level", level}, {"msg", message}, {"time", time}};
    return go_json(line, 0) + "\n";
}

std::string log_line_text(std::string_view level, std::string_view message, std::string_view time) {
    std::string text = needs_quotes(message) ? quote(message) : std::string(message);
    return "time=\"" + std::string(time) + "\" level=" + std::string(level) + " msg=" + text + "\n";
}

Result<Log> Log::open(const LogOptions& options) {
    Log log;
    log.debug_ = options.debug;
    if (options.format == "json")
        log.format_ = Format::json;
    else if (!options.format.empty() && options.format != "text")
        return Error(ErrorKind::invalid_argument, "invalid log-format: " + options.format); // runc's words
    if (!options.file.empty()) {
        constexpr mode_t mode = 0644;
        RUNVM_ASSIGN(log.file_, os::open_file(options.file, O_WRONLY | O_CREAT | O_APPEND, mode));
    }
    return log;
}

void Log::debug(std::string_view message) {
    if (debug_)
        write("debug", message);
}

void Log::warning(std::string_view message) {
    write("warning", message);
}

void Log::error(std::string_view message) {
    write("error", message);
    if (!file_)
        return;
    // A log that cannot be written is no reason to fail: there is no other place to say so.
    (void)os::write_all(STDERR_FILENO, std::string(message) + "\n", "stderr");
}

void Log::write(std::string_view level, std::string_view message) {
    std::string line = format_ == Format::json ? log_line_json(level, message, now_text())
                                               : log_line_text(level, message, now_text());
    (void)os::write_all(file_ ? file_.get() : STDERR_FILENO, line, "the log");
}

} // namespace runvm::oci
