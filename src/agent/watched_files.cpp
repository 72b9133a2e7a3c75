#include "agent/watched_files.h"

#include "agent/shared_folder.h"
#include "core/number.h"
#include "core/take_until.h"
#include "os/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cstring>
#include <map>
#include <memory>

namespace runvm::agent {

namespace {

// The kernel's own form of a device number, which inotify's lines have (MKDEV in its kdev_t.h).
constexpr unsigned kernel_minor_bits = 20;

template <class Integer>
std::optional<Integer> hexadecimal(std::string_view text) {
    Integer value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

std::optional<std::string> bytes_of(std::string_view digits) {
    std::string bytes;
    if (digits.size() % 2 != 0)
        return std::nullopt;
    for (; !digits.empty(); digits.remove_prefix(2)) {
        auto byte = hexadecimal<uint8_t>(digits.substr(0, 2));
        if (!byte)
            return std::nullopt;
        bytes.push_back(static_cast<char>(*byte));
    }
    return bytes;
}

/// "ino:5f4 sdev:2a ..." as a map.
std::map<std::string_view, std::string_view> fields_of(std::string_view line) {
    std::map<std::string_view, std::string_view> fields;
    while (!line.empty()) {
        std::string_view word = take_until(line, ' ');
        std::string_view name = take_until(word, ':');
        fields[name] = word;
    }
    return fields;
}

std::string link_target(const std::string& path) {
    std::array<char, PATH_MAX> target{};
    ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
    return {target.data(), size > 0 ? static_cast<size_t>(size) : 0};
}

} // namespace

std::optional<WatchedInode> parse_inotify_line(std::string_view line) {
    if (take_until(line, ' ') != "inotify")
        return std::nullopt;
    auto fields = fields_of(line);
    auto number = hexadecimal<uint64_t>(fields["ino"]);
    auto device = hexadecimal<uint32_t>(fields["sdev"]);
    auto type = hexadecimal<uint32_t>(fields["fhandle-type"]);
    auto handle = bytes_of(fields["f_handle"]);
    if (!number || !device || !type || !handle || handle->empty() || handle->size() > MAX_HANDLE_SZ)
        return std::nullopt;
    dev_t numbers = makedev(*device >> kernel_minor_bits, *device & ((1U << kernel_minor_bits) - 1));
    return WatchedInode{numbers, *number, static_cast<int>(*type), *handle};
}

// Its lines are "ID PARENT MAJOR:MINOR ROOT PLACE ..."; the names below the shared folder need no escapes.
SharedMounts::SharedMounts() {
    auto text = os::read_file("/proc/self/mountinfo");
    std::string_view rest = text ? std::string_view(*text) : std::string_view();
    while (!rest.empty()) {
        std::string_view line = take_until(rest, '\n');
        (void)take_until(line, ' ');
        (void)take_until(line, ' ');
        std::string_view numbers = take_until(line, ' ');
        (void)take_until(line, ' ');
        std::string path(take_until(line, ' '));
        auto major = whole_number<unsigned>(take_until(numbers, ':'));
        auto minor = whole_number<unsigned>(numbers);
        if (major && minor && (path + "/").starts_with(std::string(SharedFolder::path) + "/"))
            mounts_.push_back({makedev(*major, *minor), path, os::Fd()});
    }
}

bool SharedMounts::has(dev_t device) const {
    return std::any_of(mounts_.begin(), mounts_.end(),
                       [&](const Mount& mount) { return mount.device == device; });
}

Result<os::Fd> SharedMounts::open(const WatchedInode& inode) {
    auto mount = std::find_if(mounts_.begin(), mounts_.end(),
                              [&](const Mount& candidate) { return candidate.device == inode.device; });
    if (mount == mounts_.end())
        return Error(ErrorKind::not_found, "the watched file's share is gone");
    if (!mount->folder) {
        RUNVM_ASSIGN(mount->folder, os::open_file(mount->path, O_RDONLY | O_DIRECTORY));
    }
    // A file_handle ends with an array of unknown size.
    alignas(file_handle) std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> memory{};
    auto* handle = reinterpret_cast<file_handle*>(memory.data());
    handle->handle_bytes = static_cast<unsigned>(inode.handle.size());
    handle->handle_type = inode.handle_type;
    std::memcpy(memory.data() + offsetof(file_handle, f_handle), inode.handle.data(), inode.handle.size());
    os::Fd opened(::open_by_handle_at(mount->folder.get(), handle, O_PATH | O_CLOEXEC));
    if (!opened)
        return system_error("open a watched file");
    return opened;
}

Result<std::string> SharedMounts::path_of(const WatchedInode& inode) {
    RUNVM_ASSIGN(os::Fd opened, open(inode));
    std::string path = link_target("/proc/self/fd/" + std::to_string(opened.get()));
    std::string folder = std::string(SharedFolder::path) + "/";
    if (!path.starts_with(folder) || path.ends_with(" (deleted)"))
        return Error(ErrorKind::not_found, "a watched file has no path");
    return path.substr(folder.size());
}

std::vector<WatchedInode> watched_by(pid_t process) {
    std::string folder = "/proc/" + std::to_string(process);
    std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir((folder + "/fd").c_str()), ::closedir);
    std::vector<WatchedInode> found;
    while (const dirent* entry = listing ? ::readdir(listing.get()) : nullptr) {
        if (link_target(folder + "/fd/" + entry->d_name) != "anon_inode:inotify")
            continue;
        auto text = os::read_file(folder + "/fdinfo/" + entry->d_name);
        std::string_view rest = text ? std::string_view(*text) : std::string_view();
        while (!rest.empty())
            if (auto inode = parse_inotify_line(take_until(rest, '\n')))
                found.push_back(std::move(*inode));
    }
    return found;
}

} // namespace runvm::agent
