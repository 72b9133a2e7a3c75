#include "channel/rpc_error.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace runvm::channel {
namespace {

constexpr size_t max_text_bytes = 4096;
constexpr unsigned max_context_entries = 16;
constexpr int32_t max_errno = 4095; // include/linux/err.h, MAX_ERRNO
// Of those that travel: an interrupted command is on this side of the connection.
constexpr auto last_kind = ErrorKind::process_finished;

/// The length of the UTF-8 sequence at the start of `text` and its code point; length 0: not valid UTF-8.
struct Sequence {
    size_t length;
    uint32_t code_point;
};

Sequence decode(std::string_view text) {
    auto lead = static_cast<uint8_t>(text[0]);
    if (lead < 0x80)
        return {1, lead};
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < length)
        return {0, 0};
    uint32_t code_point = lead & (0xffU >> (length + 1));
    for (size_t i = 1; i < length; ++i) {
        auto next = static_cast<uint8_t>(text[i]);
        if ((next & 0xc0U) != 0x80)
            return {0, 0};
        code_point = code_point << 6U | (next & 0x3fU);
    }
    constexpr uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
    if (code_point < smallest[length] || surrogate || code_point > 0x10ffff)
        return {0, 0};
    return {length, code_point};
}

/// Controls could drive a terminal, others reorder what a reader sees. An error may have several lines (a
/// boot's ends with the console's last ones).
bool printable(uint32_t code_point) {
    if (code_point == '\n')
        return true;
    bool control = code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
    bool line_or_direction = code_point == 0x2028 || code_point == 0x2029 ||
                             (code_point >= 0x200e && code_point <= 0x200f) ||
                             (code_point >= 0x202a && code_point <= 0x202e) ||
                             (code_point >= 0x2066 && code_point <= 0x2069) || code_point == 0xfeff;
    return !control && !line_or_direction;
}

/// At most 4 KiB of valid UTF-8; what is not printable becomes a `?`, a tab a space.
std::string printable_text(std::string_view text) {
    std::string out;
    out.reserve(std::min(text.size(), max_text_bytes));
    while (!text.empty()) {
        Sequence sequence = decode(text);
        std::string_view piece = "?";
        if (sequence.length > 0 && printable(sequence.code_point))
            piece = text.substr(0, sequence.length);
        else if (text[0] == '\t')
            piece = " ";
        if (out.size() + piece.size() > max_text_bytes)
            break;
        out += piece;
        text.remove_prefix(std::max<size_t>(sequence.length, 1));
    }
    return out;
}

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
