#pragma once
// How a command's outcome is reported: --log, --log-format, --debug and stderr.

#include "cli/parser.h"
#include "core/result.h"
#include "os/fd.h"

#include <string>

namespace runvm::commands {

class Report {
public:
    /// To stderr, as text, until `open` says otherwise.
    Report() = default;

    /// As the global flags say. An unknown format or a log that cannot be opened is an error.
    static Result<Report> open(const cli::Values& globals);

    /// An error goes to the log, and to stderr as it is where the log is a file: Docker and people read that.
    /// Podman parses its whole log file as one object, so a command writes one line and no more (callers.md).
    void error(const std::string& message) const { write("error", message); }
    /// Nothing without --debug.
    void debug(const std::string& message) const {
        if (debug_) write("debug", message);
    }

private:
    void write(const std::string& level, const std::string& message) const;

    os::Fd file_; ///< none: stderr
    bool json_ = false;
    bool debug_ = false;
};

} // namespace runvm::commands
