#include "vm/console.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

namespace runvm::vm {
namespace {

constexpr size_t max_line_bytes = 200;

/// Length of the escape sequence that `text` (it begins with ESC) begins with: CSI to its final byte, others
/// two.
size_t escape_length(std::string_view text) {
    if (text.size() < 2 || text[1] != '[')
        return std::min<size_t>(text.size(), 2);
    for (size_t i = 2; i < text.size(); ++i) {
        auto byte = static_cast<unsigned char>(text[i]);
        if (byte >= 0x40 && byte <= 0x7e)
            return i + 1;
        if (byte < 0x20 || byte > 0x7e)
            return i; // broken off
    }
    return text.size();
}

/// Length of a whole UTF-8 sequence of two to four bytes, or 0.
size_t utf8_length(std::string_view text) {
    auto first = static_cast<unsigned char>(text[0]);
    size_t length = first >= 0xf0 && first <= 0xf4 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length)
        return 0;
    for (size_t i = 1; i < length; ++i)
        if ((static_cast<unsigned char>(text[i]) & 0xc0U) != 0x80)
            return 0;
    // C1 control characters, U+0080 to U+009F, are terminal commands too.
    return first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0 ? 0 : length;
}

std::string printable(std::string_view text) {
    std::string clean;
    while (!text.empty() && clean.size() < max_line_bytes) {
        auto byte = static_cast<unsigned char>(text[0]);
        size_t length = 1;
        if (byte == 0x1b) {
            length = escape_length(text);
        } else if (byte >= 0x80) {
            size_t whole = utf8_length(text);
            clean += whole == 0 ? std::string_view("?") : text.substr(0, whole);
            length = std::max<size_t>(whole, 1);
        } else if (byte == '\t') {
            clean += ' ';
        } else if (byte >= 0x20 && byte < 0x7f) {
            clean += text[0];
        }
        text.remove_prefix(length);
    }
    size_t end = clean.find_last_not_of(' ');
    return clean.substr(0, end == std::string::npos ? 0 : end + 1);
}

} // namespace

void ConsoleRing::append(std::string_view data) {
    if (data.size() > capacity_bytes)
        data.remove_prefix(data.size() - capacity_bytes);
    size_t growth = std::min(data.size(), capacity_bytes - data_.size());
    data_.append(data.substr(0, growth));
    data.remove_prefix(growth);
    while (!data.empty()) {
        size_t part = std::min(data.size(), capacity_bytes - oldest_);
        data.copy(&data_[oldest_], part);
        oldest_ = (oldest_ + part) % capacity_bytes;
        data.remove_prefix(part);
    }
}

std::string ConsoleRing::ordered() const {
    return data_.substr(oldest_) + data_.substr(0, oldest_);
}

std::string ConsoleRing::tail(size_t max_lines) const {
    std::string text = ordered();
    std::vector<std::string> lines; // the last one first
    size_t end = text.size();
    while (lines.size() < max_lines) {
        size_t newline = end == 0 ? std::string::npos : text.rfind('\n', end - 1);
        size_t begin = newline == std::string::npos ? 0 : newline + 1;
        std::string line = printable(std::string_view(text).substr(begin, end - begin));
        if (!line.empty())
            lines.push_back(std::move(line));
        if (newline == std::string::npos)
            break;
        end = newline;
    }
    std::string result;
    for (auto line = lines.rbegin(); line != lines.rend(); ++line)
        result += *line + "\n";
    return result;
}

Result<bool> read_console(int fd, ConsoleRing& ring) {
    std::array<char, 4096> chunk;
    // A guest that writes without end must not keep the caller here. The socket holds less than this many
    // chunks: the rest, if there is one, came while we read, and more will follow to wake the caller up.
    for (int round = 0; round < 256; ++round) {
        ssize_t size = ::read(fd, chunk.data(), chunk.size());
        if (size > 0) {
            ring.append({chunk.data(), static_cast<size_t>(size)});
            continue;
        }
        if (size == 0)
            return false;
        if (errno == EAGAIN)
            return true;
        if (errno == ECONNRESET)
            return false;
        if (errno != EINTR)
            return system_error("read the guest's console");
    }
    return true;
}

} // namespace runvm::vm
