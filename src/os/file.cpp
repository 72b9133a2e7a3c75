#include "os/file.h"

#include "core/defer.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <climits>
#include <cstdlib>
#include <memory>

namespace runvm::os {

Result<Fd> open_file(const std::string& path, int flags, mode_t mode) {
    Fd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
    if (!fd) return system_error("open " + path);
    return fd;
}

Result<std::string> read_fd(int fd, const std::string& name, uint64_t max_bytes) {
    std::string data;
    std::array<char, 16384> chunk;
    while (true) {
        ssize_t n = ::read(fd, chunk.data(), chunk.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return system_error("read " + name);
        if (n == 0) return data;
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
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return system_error("write " + name);
        data.remove_prefix(static_cast<size_t>(n));
    }
    return {};
}

Result<void> write_file_atomically(const std::string& path, std::string_view data, mode_t mode, bool durable) {
    std::string temporary = path + ".XXXXXX";
    Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
    if (!fd) return system_error("create a temporary file beside " + path);
    Defer remove_temporary([&] { ::unlink(temporary.c_str()); });

    RUNVM_TRY(write_all(fd.get(), data, temporary));
    if (::fchmod(fd.get(), mode) != 0) return system_error("chmod " + temporary);
    if (durable && ::fsync(fd.get()) != 0) return system_error("fsync " + temporary);
    if (::rename(temporary.c_str(), path.c_str()) != 0) return system_error("rename to " + path);
    remove_temporary.dismiss();
    if (durable) {
        size_t slash = path.rfind('/');
        std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
        RUNVM_ASSIGN(Fd folder_fd, open_file(folder, O_RDONLY | O_DIRECTORY));
        if (::fsync(folder_fd.get()) != 0) return system_error("fsync " + folder);
    }
    return {};
}

Result<void> make_folders(const std::string& path, mode_t mode) {
    for (size_t end = 1; end <= path.size(); ++end) {
        if (end != path.size() && path[end] != '/') continue;
        std::string part = path.substr(0, end);
        if (::mkdir(part.c_str(), mode) != 0 && errno != EEXIST) return system_error("mkdir " + part);
    }
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return system_error("stat " + path);
    if (!S_ISDIR(info.st_mode)) return system_error("mkdir " + path, ENOTDIR);
    return {};
}

namespace {

Result<void> remove_entry(int parent, const char* name, const std::string& path, dev_t device) {
    if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return {};
    if (errno != EISDIR && errno != EPERM) return system_error("unlink " + path);

    Fd folder(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder) {
        if (errno == ENOENT) return {};
        return system_error("open " + path);
    }
    struct stat info {};
    if (::fstat(folder.get(), &info) != 0) return system_error("stat " + path);
    if (info.st_dev != device) return Error(ErrorKind::system, "remove " + path + ": is a mount point", EBUSY);

    int duplicate = ::fcntl(folder.get(), F_DUPFD_CLOEXEC, 0);
    std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(duplicate), ::closedir);
    if (!listing) return system_error("read " + path);
    while (const dirent* entry = ::readdir(listing.get())) {
        std::string_view child = entry->d_name;
        if (child == "." || child == "..") continue;
        RUNVM_TRY(remove_entry(folder.get(), entry->d_name, path + "/" + entry->d_name, device));
    }
    if (::unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT) return system_error("rmdir " + path);
    return {};
}

} // namespace

Result<void> remove_tree(const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
        if (errno == ENOENT) return {};
        return system_error("stat " + path);
    }
    return remove_entry(AT_FDCWD, path.c_str(), path, info.st_dev);
}

Result<std::string> real_path(const std::string& path) {
    std::unique_ptr<char, void (*)(void*)> resolved(::realpath(path.c_str(), nullptr), std::free);
    if (!resolved) return system_error("resolve " + path);
    return std::string(resolved.get());
}

} // namespace runvm::os
