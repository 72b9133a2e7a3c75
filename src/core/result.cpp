#include "core/result.h"

#include <cstring>

namespace runvm {

std::string Error::to_string() const {
    std::string text;
    for (auto step = context_.rbegin(); step != context_.rend(); ++step) {
        text += *step;
        text += ": ";
    }
    return text + message_;
}

Error system_error(std::string_view what, int errno_value) {
    const char* description = strerrordesc_np(errno_value); // none for a number that is not the kernel's
    std::string reason = description != nullptr ? description : "error " + std::to_string(errno_value);
    return {ErrorKind::system, std::string(what) + ": " + reason, errno_value};
}

} // namespace runvm
