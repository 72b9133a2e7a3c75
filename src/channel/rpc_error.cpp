#include "channel/rpc_error.h"

#include "core/utf8.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace runvm::channel {
namespace {

constexpr unsigned max_context_entries = 16;
constexpr int32_t max_errno = 4095; // include/linux/err.h, MAX_ERRNO
// Of those that travel: an interrupted command is on this side of the connection.
constexpr auto last_kind = ErrorKind::process_finished;

std::string_view view(capnp::Text::Reader text) {
    return {text.begin(), text.size()};
}

} // namespace

void write_error(const Error& error, protocol::Error::Builder out) {
    out.setFailed(true);
    out.setKind(static_cast<uint16_t>(error.kind()));
    out.setErrnoValue(error.errno_value());
    out.setMessage(printable_text(error.message()));
    size_t count = std::min<size_t>(error.context().size(), max_context_entries);
    auto context = out.initContext(static_cast<unsigned>(count));
    for (unsigned i = 0; i < count; ++i)
        context.set(i, printable_text(error.context()[i]));
}

Error read_error(protocol::Error::Reader error) {
    auto kind = error.getKind() <= static_cast<uint16_t>(last_kind) ? static_cast<ErrorKind>(error.getKind())
                                                                    : ErrorKind::internal;
    int32_t errno_value = error.getErrnoValue();
    if (errno_value < 0 || errno_value > max_errno)
        errno_value = 0;
    Error result(kind, printable_text(view(error.getMessage())), errno_value);
    auto context = error.getContext();
    for (unsigned i = 0; i < std::min(context.size(), max_context_entries); ++i)
        result.add_context(printable_text(view(context[i])));
    return result;
}

Result<void> to_result(protocol::Error::Reader error) {
    if (!error.getFailed())
        return {};
    return read_error(error);
}

Error from_exception(const kj::Exception& exception, const char* what) {
    auto description = exception.getDescription();
    // capnp's own words (rpc.c++) are for programmers.
    if (description.startsWith("Peer disconnected") || description.startsWith("Peer closed"))
        description = "the other side has closed the connection";
    return Error(ErrorKind::unavailable, printable_text({description.begin(), description.size()}))
        .add_context(what);
}

} // namespace runvm::channel
