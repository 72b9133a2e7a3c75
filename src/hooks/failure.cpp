#include "hooks/failure.h"

#include <cctype>
#include <cstring>

namespace runvm::hooks {

namespace {

// "signal: killed", "signal: CPU time limit exceeded": glibc's words with Go's small first letter.
std::string name_of_signal(int signal) {
    std::string name = ::strsignal(signal);
    if (name.size() > 1 && std::islower(static_cast<unsigned char>(name[1])) != 0)
        name[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(name[0])));
    return name;
}

// Go's words (os.ProcessState).
std::string how_it_ended(const os::ExitStatus& status) {
    if (status.signal != 0)
        return "signal: " + name_of_signal(status.signal);
    return "exit status " + std::to_string(status.code);
}

} // namespace

Error failure(const os::ExitStatus& status, const KeptOutput& out, const KeptOutput& err) {
    return {ErrorKind::invalid_argument,
            how_it_ended(status) + ", stdout: " + out.text() + ", stderr: " + err.text()};
}

} // namespace runvm::hooks
