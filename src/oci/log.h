#pragma once
// The log that callers read: `--log FILE --log-format text|json --debug`, in logrus's formats, as runc writes
// it.
//
// One error, one line: Podman reads the whole file as one JSON object, and containerd gives up at a line that
// is not JSON. So without --debug nothing but the error, and what a hook fails with afterwards, is written.
// (spdlog would be two shared libraries for one line.)

#include "core/result.h"
#include "os/fd.h"

#include <string>
#include <string_view>

namespace runvm::oci {

struct LogOptions {
    std::string file;   ///< empty: stderr
    std::string format; ///< "text" (also if empty), "json"
    bool debug = false;
};

class Log {
public:
    /// Writes text to stderr until `open` has been successful.
    Log() = default;
    /// Appends to the file, which is made if needed (0644). invalid_argument for an unknown format.
    static Result<Log> open(const LogOptions& options);

    /// Written with --debug only.
    void debug(std::string_view message);
    /// One line to the log, of what the command goes on after.
    void warning(std::string_view message);
    /// One line to the log; where that is a file, the bare message also goes to stderr.
    void error(std::string_view message);

    bool is_debug() const { return debug_; }

private:
    enum class Format { text, json };

    void write(std::string_view level, std::string_view message);

    os::Fd file_; ///< none: stderr
    Format format_ = Format::text;
    bool debug_ = false;
};

/// One line, with its end. `time` is RFC 3339.
std::string log_line_json(std::string_view level, std::string_view message, std::string_view time);
std::string log_line_text(std::string_view level, std::string_view message, std::string_view time);

} // namespace runvm::oci
