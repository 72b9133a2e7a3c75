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
    return {ErrorKind::system, std::string(what) + ": " + strerrordesc_np(errno_value), errno_value};
}

} // namespace runvm
