#include "agent/rootfs.h"

#include "agent/syscalls.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <climits>
#include <deque>
#include <vector>

namespace runvm::agent {

namespace {

constexpr int max_symlinks = 40; // the kernel's MAXSYMLINKS

std::deque<std::string> components_of(const std::string& path) {
    std::deque<std::string> components;
    size_t begin = 0;
    while (begin < path.size()) {
        size_t end = path.find('/', begin);
        if (end == std::string::npos)
            end = path.size();
        std::string part = path.substr(begin, end - begin);
        if (!part.empty() && part != ".")
            components.push_back(std::move(part));
        begin = end + 1;
    }
    return components;
}

/// The target of a symlink; nothing if it is none.
bool read_link(int folder, const std::string& name, std::string& target) {
    std::array<char, PATH_MAX> buffer;
    ssize_t length = ::readlinkat(folder, name.c_str(), buffer.data(), buffer.size());
    if (length <= 0)
        return false;
    target.assign(buffer.data(), static_cast<size_t>(length));
    return true;
}

Result<os::Fd> enter_folder(int parent, const std::string& name, const std::string& path) {
    constexpr int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    os::Fd folder(::openat(parent, name.c_str(), flags));
    if (!folder && errno == ENOENT) {
        if (::mkdirat(parent, name.c_str(), 0755) != 0 && errno != EEXIST)
            return system_error("mkdir " + name + " of " + path);
        folder.reset(::openat(parent, name.c_str(), flags));
    }
    if (!folder)
        return system_error("open " + name + " of " + path);
    return folder;
}

Result<void> check_kind(int fd, Rootfs::Kind kind, const std::string& path) {
    struct stat info {};
    if (::fstat(fd, &info) != 0)
        return system_error("stat " + path);
    bool is_folder = S_ISDIR(info.st_mode);
    if (kind == Rootfs::Kind::folder && !is_folder)
        return system_error("mount point " + path, ENOTDIR);
    if (kind == Rootfs::Kind::file && is_folder)
        return system_error("mount point " + path, EISDIR);
    return {};
}

} // namespace

Result<os::Fd> Rootfs::open(const std::string& path, uint64_t flags) const {
    return open_in_root(root_.get(), path, flags);
}

Result<Rootfs::Place> Rootfs::make_parent(const std::string& path, LastLink last) const {
    // The kernel resolves no path with parts that are missing, so this walks by itself: one name at a time,
    // never through a symlink and never through "..", for which it keeps the folders it came through.
    std::vector<os::Fd> way;
    auto here = [&] { return way.empty() ? root_.get() : way.back().get(); };
    std::deque<std::string> rest = components_of(path);
    int symlinks = 0;
    while (!rest.empty()) {
        std::string name = std::move(rest.front());
        rest.pop_front();
        if (name == "..") {
            if (!way.empty())
                way.pop_back();
            continue;
        }
        std::string target;
        bool followed = !rest.empty() || last == LastLink::followed;
        if (followed && read_link(here(), name, target)) {
            if (++symlinks > max_symlinks)
                return system_error("resolve " + path, ELOOP);
            if (target.front() == '/')
                way.clear();
            std::deque<std::string> parts = components_of(target);
            rest.insert(rest.begin(), parts.begin(), parts.end());
            continue;
        }
        if (rest.empty()) {
            os::Fd folder = os::duplicate(here());
            if (!folder)
                return system_error("duplicate a descriptor");
            return Place{std::move(folder), std::move(name)};
        }
        RUNVM_ASSIGN(os::Fd next, enter_folder(here(), name, path));
        way.push_back(std::move(next));
    }
    return Error(ErrorKind::invalid_argument, "`" + path + "` names the root folder itself", EINVAL);
}

Result<os::Fd> Rootfs::make_mount_point(const std::string& path, Kind kind) const {
    // O_DIRECTORY would make a file's error ENOTDIR, which is wanted, but is needed too to set off an
    // automount.
    uint64_t flags = O_PATH | (kind == Kind::folder ? O_DIRECTORY : 0);
    Result<os::Fd> existing = open(path, flags);
    if (existing) {
        RUNVM_TRY(check_kind(existing->get(), kind, path));
        return existing;
    }
    if (existing.error().errno_value() != ENOENT)
        return existing;

    RUNVM_ASSIGN(Place place, make_parent(path));
    if (kind == Kind::folder)
        return enter_folder(place.folder.get(), place.name, path);
    if (::mknodat(place.folder.get(), place.name.c_str(), S_IFREG | 0644, 0) != 0 && errno != EEXIST)
        return system_error("create the mount point " + path);
    os::Fd file(::openat(place.folder.get(), place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!file)
        return system_error("open the mount point " + path);
    RUNVM_TRY(check_kind(file.get(), kind, path));
    return file;
}

} // namespace runvm::agent
