#include "oci/signals.h"

#include "core/number.h"

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstring>

namespace runvm::oci {

Result<int> parse_signal(std::string_view text) {
    Error unknown(ErrorKind::invalid_argument, "unknown signal \"" + std::string(text) + "\"");
    if (auto number = whole_number<int>(text)) {
        if (*number < 0 || *number > SIGRTMAX)
            return unknown;
        return *number;
    }
    std::string name(text);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    if (name.starts_with("SIG"))
        name.erase(0, 3);
    // Other names of the same numbers, which Go's table (unix.SignalNum) has too.
    if (name == "IOT")
        return SIGABRT;
    if (name == "CLD")
        return SIGCHLD;
    if (name == "POLL")
        return SIGIO;
    for (int signal = 1; signal <= 31; ++signal) {
        const char* abbreviation = sigabbrev_np(signal);
        if (abbreviation != nullptr && name == abbreviation)
            return signal;
    }
    return unknown;
}

} // namespace runvm::oci
