#include "vm/file_events.h"

#include "os/file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>

namespace runvm::vm {
namespace {

// fanotify's bits are inotify's.
constexpr uint64_t of_itself = FAN_MODIFY | FAN_ATTRIB | FAN_CLOSE_WRITE | FAN_DELETE_SELF | FAN_MOVE_SELF;
constexpr uint64_t of_entries = FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO;
constexpr uint64_t of_named = of_entries | FAN_MODIFY | FAN_ATTRIB | FAN_CLOSE_WRITE;

/// fanotify gives events of one file together: told in the order in which they mostly come about.
constexpr std::array<uint64_t, 9> kinds = {FAN_CREATE, FAN_MOVED_TO,    FAN_MODIFY,
                                           FAN_ATTRIB, FAN_CLOSE_WRITE, FAN_MOVED_FROM,
                                           FAN_DELETE, FAN_MOVE_SELF,   FAN_DELETE_SELF};

// Some hundreds of events with short names.
constexpr size_t buffer_bytes = 32768;

template <class T>
T copy(const char* from) {
    T copied{};
    std::memcpy(&copied, from, sizeof copied);
    return copied;
}

/// Of a `file_handle` in memory: file system, type of the handle, handle.
std::string key_of(const void* fsid, const char* handle) {
    auto bytes = copy<uint32_t>(handle);
    return std::string(static_cast<const char*>(fsid), sizeof(fsid_t)) +
           std::string(handle + sizeof bytes, sizeof(int) + bytes);
}

Result<std::string> key_of(int file) {
    struct statfs filesystem {};
    if (::fstatfs(file, &filesystem) != 0)
        return system_error("look at a watched file's file system");
    alignas(file_handle) std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> memory{};
    auto* handle = reinterpret_cast<file_handle*>(memory.data());
    handle->handle_bytes = MAX_HANDLE_SZ;
    int mount = 0;
    if (::name_to_handle_at(file, "", handle, &mount, AT_EMPTY_PATH) != 0)
        return system_error("identify a watched file");
    return key_of(&filesystem.f_fsid, memory.data());
}

// Each share of a container leads to a file by a name of its own. What happens to it is told for each.
constexpr size_t most_ids_a_file = 16;
// The host's limit of marks is all sandboxes' together (fs.fanotify.max_user_marks).
constexpr size_t most_orphans = 4096;

std::string link_to(int fd) {
    return "/proc/self/fd/" + std::to_string(fd);
}

} // namespace

Result<FileEvents> FileEvents::open(const std::string& folder, pid_t own_process) {
    RUNVM_ASSIGN(os::Fd root, os::open_file(folder, O_PATH | O_DIRECTORY));
    os::Fd group(::fanotify_init(
        FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_FID | FAN_REPORT_DFID_NAME, O_RDONLY));
    if (!group)
        return system_error("start fanotify");
    return FileEvents(std::move(group), std::move(root), own_process);
}

Result<os::Fd> FileEvents::open_below(const std::string& path) const {
    open_how how{};
    how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    os::Fd opened(static_cast<int>(::syscall(SYS_openat2, folder_.get(), path.c_str(), &how, sizeof how)));
    if (!opened)
        return system_error("open a watched file");
    return opened;
}

Result<void> FileEvents::watch(uint32_t id, const std::string& path) {
    unwatch(id);
    if (path.find('\0') != std::string::npos)
        return Error(ErrorKind::invalid_argument, "a watched path has a zero in it");
    RUNVM_ASSIGN(os::Fd file, open_below(path));
    struct stat info {};
    if (::fstat(file.get(), &info) != 0)
        return system_error("stat a watched file");
    RUNVM_ASSIGN(Key key, key_of(file.get()));
    if (auto same = ids_.find(key); same != ids_.end() && same->second.size() >= most_ids_a_file)
        return Error(ErrorKind::invalid_argument, "a file is watched by too many names");
    if (orphans_ >= most_orphans)
        return Error(ErrorKind::unavailable, "too many watched files have been moved");
    uint64_t mask = of_itself;
    if (S_ISDIR(info.st_mode))
        mask |= of_entries | FAN_EVENT_ON_CHILD | FAN_ONDIR;
    if (::fanotify_mark(group_.get(), FAN_MARK_ADD, mask, AT_FDCWD, link_to(file.get()).c_str()) != 0)
        return system_error("watch a file");
    ids_[key].insert(id);
    watches_[id] = {path, key};
    return {};
}

void FileEvents::unwatch(uint32_t id) {
    auto found = watches_.find(id);
    if (found == watches_.end())
        return;
    auto ids = ids_.find(found->second.key);
    ids->second.erase(id);
    if (ids->second.empty()) {
        // Another file may be there by now. The mark of one that has moved stays, as long as the sandbox
        // does.
        auto file = open_below(found->second.path);
        auto key = file ? key_of(file->get()) : Result<Key>(file.error());
        if (!key || *key != found->second.key) {
            ++orphans_;
        } else {
            uint64_t mask = of_itself | of_entries | FAN_EVENT_ON_CHILD | FAN_ONDIR;
            (void)::fanotify_mark(group_.get(), FAN_MARK_REMOVE, mask, AT_FDCWD,
                                  link_to(file->get()).c_str());
        }
        ids_.erase(ids);
    }
    watches_.erase(found);
}

void FileEvents::unwatch_below(const std::string& folder) {
    std::vector<uint32_t> below;
    for (const auto& [id, watch] : watches_)
        if (watch.path.starts_with(folder + "/"))
            below.push_back(id);
    for (uint32_t id : below)
        unwatch(id);
}

void FileEvents::append_to_watches(std::vector<FileEvent>& events, const Key& key, uint64_t mask,
                                   const std::string& name) const {
    auto ids = ids_.find(key);
    if (ids == ids_.end())
        return;
    auto is_folder = static_cast<uint32_t>(mask & FAN_ONDIR);
    for (uint32_t id : ids->second)
        for (uint64_t kind : kinds)
            if ((mask & kind) != 0)
                events.push_back({id, static_cast<uint32_t>(kind) | is_folder, name});
}

void FileEvents::append(std::vector<FileEvent>& events, const char* record, size_t bytes,
                        uint64_t mask) const {
    size_t at = copy<fanotify_event_metadata>(record).metadata_len;
    while (at + sizeof(fanotify_event_info_fid) + sizeof(file_handle) <= bytes) {
        auto info = copy<fanotify_event_info_fid>(record + at);
        const char* handle = record + at + sizeof(fanotify_event_info_fid);
        size_t end = at + info.hdr.len;
        if (info.hdr.len < sizeof info || end > bytes)
            return;
        Key key = key_of(&info.fsid, handle);
        // The name follows the handle, and is padded with zeros.
        const char* name = handle + sizeof(file_handle) + copy<uint32_t>(handle);
        bool is_itself = std::strcmp(name, ".") == 0;
        if (info.hdr.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME && is_itself)
            append_to_watches(events, key, mask & (of_itself | FAN_ONDIR), "");
        if (info.hdr.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME && !is_itself)
            append_to_watches(events, key, mask & (of_named | FAN_ONDIR), name);
        // An entry's coming and going has the folder here, too.
        if (info.hdr.info_type == FAN_EVENT_INFO_TYPE_FID && (mask & of_entries) == 0)
            append_to_watches(events, key, mask & (of_itself | FAN_ONDIR), "");
        at = end;
    }
}

std::vector<FileEvent> FileEvents::read() {
    std::vector<FileEvent> events;
    alignas(fanotify_event_metadata) std::array<char, buffer_bytes> buffer{};
    while (events.empty()) {
        ssize_t size = ::read(group_.get(), buffer.data(), buffer.size());
        if (size <= 0)
            return events;
        for (size_t at = 0; at + sizeof(fanotify_event_metadata) <= static_cast<size_t>(size);) {
            auto event = copy<fanotify_event_metadata>(buffer.data() + at);
            if (event.event_len < sizeof event || event.event_len > static_cast<size_t>(size) - at)
                break;
            if (event.pid != own_process_)
                append(events, buffer.data() + at, event.event_len, event.mask);
            at += event.event_len;
        }
    }
    return events;
}

} // namespace runvm::vm
