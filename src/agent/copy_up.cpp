#include "agent/copy_up.h"

#include "core/defer.h"
#include "os/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include <array>
#include <climits>
#include <memory>
#include <string>
#include <string_view>

namespace runvm::agent {

namespace {

constexpr int max_depth = 64;
constexpr size_t copy_chunk_bytes = 1U << 20U;

Result<void> copy_folder(int from, int to, int depth);

Result<void> copy_owner_and_mode(int to, const std::string& name, const struct stat& info) {
    if (::fchownat(to, name.c_str(), info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) != 0)
        return system_error("chown " + name);
    if (!S_ISLNK(info.st_mode) && ::fchmodat(to, name.c_str(), info.st_mode & 07777, 0) != 0)
        return system_error("chmod " + name);
    return {};
}

Result<void> copy_file(int from, int to, const std::string& name) {
    // O_NONBLOCK: a fifo may have taken the file's place since it was looked at.
    os::Fd source(::openat(from, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!source)
        return system_error("open " + name);
    os::Fd target(::openat(to, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!target)
        return system_error("create " + name);
    while (true) {
        ssize_t copied = ::sendfile(target.get(), source.get(), nullptr, copy_chunk_bytes);
        if (copied == 0)
            return {};
        if (copied < 0 && errno != EINTR)
            return system_error("copy " + name);
    }
}

Result<void> copy_link(int from, int to, const std::string& name) {
    std::array<char, PATH_MAX> target;
    ssize_t length = ::readlinkat(from, name.c_str(), target.data(), target.size() - 1);
    if (length < 0)
        return system_error("read the link " + name);
    target[static_cast<size_t>(length)] = '\0';
    if (::symlinkat(target.data(), to, name.c_str()) != 0)
        return system_error("make the link " + name);
    return {};
}

Result<void> copy_entry(int from, int to, const std::string& name, int depth) {
    struct stat info {};
    if (::fstatat(from, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
        return system_error("stat " + name);
    if (S_ISDIR(info.st_mode)) {
        if (::mkdirat(to, name.c_str(), 0700) != 0)
            return system_error("mkdir " + name);
        constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        os::Fd source(::openat(from, name.c_str(), flags));
        os::Fd target(::openat(to, name.c_str(), flags));
        if (!source || !target)
            return system_error("open " + name);
        RUNVM_TRY(copy_folder(source.get(), target.get(), depth + 1).context(name));
    } else if (S_ISREG(info.st_mode)) {
        RUNVM_TRY(copy_file(from, to, name));
    } else if (S_ISLNK(info.st_mode)) {
        RUNVM_TRY(copy_link(from, to, name));
    } else {
        return {};
    }
    return copy_owner_and_mode(to, name, info);
}

Result<void> copy_folder(int from, int to, int depth) {
    if (depth > max_depth)
        return system_error("copy a folder", ELOOP);
    int listed = ::openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    std::unique_ptr<DIR, int (*)(DIR*)> listing(listed < 0 ? nullptr : ::fdopendir(listed), ::closedir);
    if (!listing)
        return system_error("list the folder");
    while (const dirent* entry = ::readdir(listing.get())) {
        std::string_view name = entry->d_name;
        if (name == "." || name == "..")
            continue;
        RUNVM_TRY(copy_entry(from, to, std::string(name), depth));
    }
    return {};
}

} // namespace

Result<void> copy_up(int from, int to) {
    return copy_folder(from, to, 0);
}

} // namespace runvm::agent
