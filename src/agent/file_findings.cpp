#include "agent/file_findings.h"

#include <cstring>
#include <string_view>

namespace runvm::agent {

namespace {

enum class Kind : uint8_t { watched = 1, unwatched };

template <class Number>
void put(std::string& bytes, Number number) {
    bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void put_text(std::string& bytes, const std::string& text) {
    put(bytes, static_cast<uint32_t>(text.size()));
    bytes += text;
}

/// Takes values off the front; false when there are not enough bytes.
template <class Number>
bool take(std::string_view& bytes, Number& number) {
    if (bytes.size() < sizeof number)
        return false;
    std::memcpy(&number, bytes.data(), sizeof number);
    bytes.remove_prefix(sizeof number);
    return true;
}

bool take_text(std::string_view& bytes, std::string& text) {
    uint32_t size = 0;
    if (!take(bytes, size) || bytes.size() < size)
        return false;
    text = bytes.substr(0, size);
    bytes.remove_prefix(size);
    return true;
}

bool take_file(std::string_view& bytes, WatchedFile& file) {
    return take(bytes, file.inode.device) && take(bytes, file.inode.number) &&
           take(bytes, file.inode.handle_type) && take_text(bytes, file.inode.handle) &&
           take_text(bytes, file.path);
}

} // namespace

std::string encode(const FileFindings& findings) {
    std::string bytes;
    for (uint32_t id : findings.unwatched) {
        put(bytes, Kind::unwatched);
        put(bytes, id);
    }
    for (const WatchedFile& file : findings.watched) {
        put(bytes, Kind::watched);
        put(bytes, file.inode.device);
        put(bytes, file.inode.number);
        put(bytes, file.inode.handle_type);
        put_text(bytes, file.inode.handle);
        put_text(bytes, file.path);
    }
    return bytes;
}

FileFindings decode(const std::string& bytes) {
    FileFindings findings;
    std::string_view rest = bytes;
    Kind kind{};
    while (take(rest, kind)) {
        WatchedFile file;
        uint32_t id = 0;
        if (kind == Kind::unwatched && take(rest, id))
            findings.unwatched.push_back(id);
        else if (kind == Kind::watched && take_file(rest, file))
            findings.watched.push_back(std::move(file));
        else
            break;
    }
    return findings;
}

} // namespace runvm::agent
