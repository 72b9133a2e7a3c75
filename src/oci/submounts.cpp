#include "oci/submounts.h"

#include "os/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <charconv>

namespace runvm::oci {

namespace {

// Space, tab, newline and backslash are written as three octal digits (fs/proc_namespace.c, mangle).
std::string unescape(std::string_view text) {
    std::string plain;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size()) {
            unsigned value = 0;
            auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 4, value, 8);
            if (error == std::errc() && end == text.data() + i + 4) {
                plain += static_cast<char>(value);
                i += 3;
                continue;
            }
        }
        plain += text[i];
    }
    return plain;
}

// The next field of a line, which is taken off it.
std::string_view next_field(std::string_view& line) {
    size_t space = line.find(' ');
    std::string_view field = line.substr(0, space);
    line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
    return field;
}

} // namespace

std::vector<Submount> parse_submounts(std::string_view mountinfo, const std::string& folder) {
    std::string prefix = folder == "/" ? folder : folder + "/";
    std::vector<Submount> found;
    while (!mountinfo.empty()) {
        size_t end = mountinfo.find('\n');
        std::string_view line = mountinfo.substr(0, end);
        mountinfo.remove_prefix(end == std::string_view::npos ? mountinfo.size() : end + 1);

        Submount submount;
        std::string_view id = next_field(line);
        std::from_chars(id.data(), id.data() + id.size(), submount.id);
        next_field(line); // the parent's id
        next_field(line); // major:minor
        next_field(line); // the root within the file system
        std::string path = unescape(next_field(line));
        if (!path.starts_with(prefix) || path.size() == prefix.size())
            continue;
        submount.path = path.substr(prefix.size());
        found.push_back(submount);
    }
    return found;
}

std::vector<std::string> find_submounts(const std::string& folder) {
    std::vector<std::string> paths;
    auto mountinfo = os::read_file("/proc/self/mountinfo");
    if (!mountinfo)
        return paths;
    for (const Submount& submount : parse_submounts(*mountinfo, folder)) {
        struct statx info {};
        std::string path = folder + "/" + submount.path;
        if (::statx(AT_FDCWD, path.c_str(), AT_NO_AUTOMOUNT, STATX_TYPE | STATX_MNT_ID, &info) != 0)
            continue;
        if (S_ISDIR(info.stx_mode) && info.stx_mnt_id == submount.id)
            paths.push_back(submount.path);
    }
    return paths;
}

} // namespace runvm::oci
