#include "report.h"

#include "os/file.h"

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <array>
#include <ctime>

namespace runvm::commands {

namespace {

/// RFC 3339, as logrus writes it.
std::string now() {
    const std::time_t seconds = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    const size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return {text.data(), size};
}

/// A JSON string is also what Go's %q would make of it, for all that messages hold.
std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace

Result<Report> Report::open(const cli::Values& globals) {
    Report report;
    report.debug_ = globals.boolean("debug");
    const std::string format = globals.text("log-format");
    if (format != "text" && format != "json" && !format.empty())
        return Error(ErrorKind::invalid_argument, "invalid log-format: " + format);
    report.json_ = format == "json";
    const std::string path = globals.text("log");
    if (!path.empty()) {
        RUNVM_ASSIGN(report.file_, os::open_file(path, O_WRONLY | O_CREAT | O_APPEND, 0644));
    }
    return report;
}

void Report::write(const std::string& level, const std::string& message) const {
    std::string line;
    if (json_) {
        line = "{\"level\":" + quoted(level) + ",\"msg\":" + quoted(message) + ",\"time\":\"" + now() + "\"}\n";
    } else if (!file_ && isatty(STDERR_FILENO) == 1) {
        line = "runvm: " + message + "\n";
    } else {
        line = "time=\"" + now() + "\" level=" + level + " msg=" + quoted(message) + "\n";
    }
    // Nobody is left to tell when the log itself cannot be written.
    (void)os::write_all(file_ ? file_.get() : STDERR_FILENO, line, "the log");
    if (file_ && level == "error") (void)os::write_all(STDERR_FILENO, message + "\n", "stderr");
}

} // namespace runvm::commands
