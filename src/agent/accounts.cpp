#include "agent/home.h"

#include "os/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <charconv>

namespace runvm::agent {

namespace {

constexpr uint64_t max_passwd_bytes = 1U << 20U;
constexpr size_t uid_field = 2;
constexpr size_t home_field = 5;

} // namespace

std::string home_in_passwd(std::string_view passwd, uid_t uid) {
    while (!passwd.empty()) {
        size_t end = passwd.find('\n');
        std::string_view line = passwd.substr(0, end);
        passwd.remove_prefix(end == std::string_view::npos ? passwd.size() : end + 1);

        std::array<std::string_view, home_field + 1> fields;
        size_t count = 0;
        while (count < fields.size()) {
            size_t colon = line.find(':');
            fields[count++] = line.substr(0, colon);
            if (colon == std::string_view::npos)
                break;
            line.remove_prefix(colon + 1);
        }
        uid_t found = 0;
        std::string_view number = count > uid_field ? fields[uid_field] : "";
        auto parsed = std::from_chars(number.data(), number.data() + number.size(), found);
        if (number.empty() || parsed.ec != std::errc() || parsed.ptr != number.data() + number.size())
            continue;
        if (found == uid && count > home_field)
            return std::string(fields[home_field]);
    }
    return "";
}

std::string home_of(uid_t uid) {
    // O_NONBLOCK: it may be a fifo
    Result<os::Fd> file = os::open_file("/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY);
    struct stat info {};
    if (!file || ::fstat(file->get(), &info) != 0 || !S_ISREG(info.st_mode))
        return "/";
    Result<std::string> text = os::read_fd(file->get(), "/etc/passwd", max_passwd_bytes);
    std::string home = text ? home_in_passwd(*text, uid) : "";
    return home.empty() ? "/" : home;
}

} // namespace runvm::agent
