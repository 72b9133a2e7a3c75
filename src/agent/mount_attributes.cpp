#include "agent/mount_attributes.h"

#include <array>
#include <utility>

namespace runvm::agent {

namespace {

constexpr std::array<std::pair<uint64_t, uint64_t>, 6> plain_attributes = {{
    {MS_RDONLY, MOUNT_ATTR_RDONLY},
    {MS_NOSUID, MOUNT_ATTR_NOSUID},
    {MS_NODEV, MOUNT_ATTR_NODEV},
    {MS_NOEXEC, MOUNT_ATTR_NOEXEC},
    {MS_NODIRATIME, MOUNT_ATTR_NODIRATIME},
    {MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW},
}};

constexpr uint64_t access_time_flags = MS_NOATIME | MS_RELATIME | MS_STRICTATIME;

constexpr std::array<std::pair<uint64_t, const char*>, 4> filesystem_flag_names = {{
    {MS_SYNCHRONOUS, "sync"},
    {MS_DIRSYNC, "dirsync"},
    {MS_MANDLOCK, "mand"},
    {MS_LAZYTIME, "lazytime"},
}};

} // namespace

mount_attr mount_attributes(uint64_t set, uint64_t cleared) {
    mount_attr attributes{};
    for (const auto& [flag, attribute] : plain_attributes) {
        if ((set & flag) != 0)
            attributes.attr_set |= attribute;
        else if ((cleared & flag) != 0)
            attributes.attr_clr |= attribute;
    }
    if (((set | cleared) & access_time_flags) != 0) {
        attributes.attr_clr |= MOUNT_ATTR__ATIME;
        // mount(2)'s own order where several are given
        if ((set & MS_STRICTATIME) != 0)
            attributes.attr_set |= MOUNT_ATTR_STRICTATIME;
        else if ((set & MS_NOATIME) != 0)
            attributes.attr_set |= MOUNT_ATTR_NOATIME;
        else
            attributes.attr_set |= MOUNT_ATTR_RELATIME;
    }
    return attributes;
}

std::vector<std::string> filesystem_flags(uint64_t set) {
    std::vector<std::string> names;
    for (const auto& [flag, name] : filesystem_flag_names)
        if ((set & flag) != 0)
            names.emplace_back(name);
    return names;
}

std::vector<FilesystemOption> parse_filesystem_options(const std::string& data) {
    std::vector<FilesystemOption> options;
    size_t begin = 0;
    while (begin <= data.size()) {
        size_t end = data.find(',', begin);
        while (end != std::string::npos && end > begin && data[end - 1] == '\\')
            end = data.find(',', end + 1);
        if (end == std::string::npos)
            end = data.size();
        std::string part = data.substr(begin, end - begin);
        if (size_t equals = part.find('='); equals != std::string::npos)
            options.push_back({part.substr(0, equals), part.substr(equals + 1), true});
        else if (!part.empty())
            options.push_back({part, "", false});
        begin = end + 1;
    }
    return options;
}

} // namespace runvm::agent
