#include "os/file.h"

#include "core/defer.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>
#include <memory>

namespace runvm::os {

Result<Fd> open_file(const std::string& path, int flags, mode_t mode) {
    Fd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
    if (!fd)
        return system_error("open " + path);
    return fd;
}

Result<std::string> read_fd(int fd, const std::string& name, uint64_t max_bytes) {
    std::string data;
    std::array<char, 16384> chunk;
    while (true) {
        ssize_t n = ::read(fd, chunk.data(), chunk.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return system_error("read " + name);
        if (n == 0)
            return data;
        data.append(chunk.data(), static_cast<size_t>(n));
        if (data.size() > max_bytes)
            return Error(ErrorKind::invalid_argument,
                         name + " is larger than the " + std::to_string(max_bytes) + " bytes allowed");
    }
}

Result<std::string> read_file(const std::string& path, uint64_t max_bytes) {
    RUNVM_ASSIGN(Fd fd, open_file(path, O_RDONLY));
    return read_fd(fd.get(), path, max_bytes);
}

Result<void> write_all(int fd, std::string_view data, const std::string& name) {
    while (!data.empty()) {
        ssize_t n = ::write(fd, data.data(), data.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return system_error("write " + name);
        data.remove_prefix(static_cast<size_t>(n));
    }
    return {};
}

Result<void> write_into(const std::string& path, std::string_view data) {
    RUNVM_ASSIGN(Fd file, open_file(path, O_WRONLY));
    return write_all(file.get(), data, path);
}

Result<void> write_file_atomically(const std::string& path, std::string_view data, mode_t mode,
                                   bool durable) {
    std::string temporary = path + ".XXXXXX";
    Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
    if (!fd)
        return system_error("create a temporary file beside " + path);
    Defer remove_temporary([&] { ::unlink(temporary.c_str()); });

    RUNVM_TRY(write_all(fd.get(), data, temporary));
    if (::fchmod(fd.get(), mode) != 0)
        return system_error("chmod " + temporary);
    if (durable && ::fsync(fd.get()) != 0)
        return system_error("fsync " + temporary);
    // A network filesystem may report only here that there was no room.
    if (::close(fd.release()) != 0)
        return system_error("write " + temporary);
    if (::rename(temporary.c_str(), path.c_str()) != 0)
        return system_error("rename to " + path);
    remove_temporary.dismiss();
    if (durable) {
        size_t slash = path.rfind('/');
        std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
        RUNVM_ASSIGN(Fd folder_fd, open_file(folder, O_RDONLY | O_DIRECTORY));
        // EINVAL: a filesystem that cannot do this to a folder.
        if (::fsync(folder_fd.get()) != 0 && errno != EINVAL)
            return system_error("fsync " + folder);
    }
    return {};
}

Result<void> make_folders(const std::string& path, mode_t mode) {
    for (size_t end = 1; end <= path.size(); ++end) {
        if (end != path.size() && path[end] != '/')
            continue;
        std::string part = path.substr(0, end);
        if (::mkdir(part.c_str(), mode) != 0 && errno != EEXIST)
            return system_error("mkdir " + part);
    }
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0)
        return system_error("stat " + path);
    if (!S_ISDIR(info.st_mode))
        return system_error("mkdir " + path, ENOTDIR);
    return {};
}

namespace {

/// Opens a folder below `parent`, but not what is mounted there. The device number would not show a bind
/// mount of the same filesystem; RESOLVE_NO_XDEV does.
Fd open_unmounted_folder(int parent, const char* name) {
    open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
    return Fd(static_cast<int>(::syscall(SYS_openat2, parent, name, &how, sizeof how)));
}

// Recurses; a tree of ours is never deeper than the limit of descriptors, and an error if it is.
Result<void> remove_entry(int parent, const char* name, const std::string& path) {
    if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return {};
    int unlink_errno = errno;
    // A read-only filesystem refuses to remove what is not there, too.
    if (unlink_errno == EROFS && ::faccessat(parent, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
        return {};
    if (unlink_errno != EISDIR && unlink_errno != EPERM)
        return system_error("unlink " + path, unlink_errno);

    Fd folder = open_unmounted_folder(parent, name);
    if (!folder) {
        if (errno == ENOENT)
            return {};
        if (errno == ENOTDIR)
            return system_error("unlink " + path, unlink_errno);
        if (errno == EXDEV)
            return Error(ErrorKind::system, "remove " + path + ": is a mount point", EBUSY);
        return system_error("open " + path);
    }
    std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(folder.get()), ::closedir);
    if (!listing)
        return system_error("read " + path);
    int listed = folder.release();
    while (const dirent* entry = ::readdir(listing.get())) {
        std::string_view child = entry->d_name;
        if (child == "." || child == "..")
            continue;
        RUNVM_TRY(remove_entry(listed, entry->d_name, path + "/" + entry->d_name));
    }
    if (::unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        return system_error("rmdir " + path);
    return {};
}

} // namespace

Result<void> remove_tree(const std::string& path) {
    std::string_view trimmed = path;
    while (trimmed.size() > 1 && trimmed.back() == '/')
        trimmed.remove_suffix(1);
    size_t slash = trimmed.rfind('/');
    std::string name(trimmed.substr(slash == std::string_view::npos ? 0 : slash + 1));
    std::string parent(slash == std::string_view::npos ? "." : trimmed.substr(0, slash + 1));
    if (name.empty() || name == "." || name == "..")
        return system_error("remove " + path, EINVAL);

    auto parent_fd = open_file(parent, O_PATH | O_DIRECTORY);
    if (!parent_fd) {
        if (parent_fd.error().errno_value() == ENOENT)
            return {};
        return std::move(parent_fd).error();
    }
    return remove_entry(parent_fd->get(), name.c_str(), path);
}

bool is_executable_file(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

Result<std::string> real_path(const std::string& path) {
    std::unique_ptr<char, void (*)(void*)> resolved(::realpath(path.c_str(), nullptr), std::free);
    if (!resolved)
        return system_error("resolve " + path);
    return std::string(resolved.get());
}

} // namespace runvm::os
