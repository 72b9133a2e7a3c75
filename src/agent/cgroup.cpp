#include "agent/cgroup.h"

#include "agent/device_filter.h"
#include "agent/syscalls.h"
#include "core/number.h"
#include "core/take_until.h"
#include "os/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string_view>
#include <vector>

namespace runvm::agent {

namespace {

// A container may make cgroups of its own below; what walks them must not be led into endless depth.
constexpr const char* max_depth = "16";
constexpr const char* max_descendants = "1024";
constexpr uint64_t max_file_bytes = 4U << 20U;
constexpr uint64_t max_read_bytes = 64U << 10U;

using Listing = std::unique_ptr<DIR, int (*)(DIR*)>;

Listing list_folder(int folder) {
    int fd = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return {fd < 0 ? nullptr : ::fdopendir(fd), ::closedir};
}

/// Calls `visit` with every cgroup below `folder`, the deepest first, by its parent and name.
template <class Visit>
Result<void> visit_below(int folder, Visit&& visit) {
    Listing listing = list_folder(folder);
    if (!listing)
        return errno == ENOENT ? Result<void>() : system_error("list a cgroup");
    while (const dirent* entry = ::readdir(listing.get())) {
        std::string_view name = entry->d_name;
        if (entry->d_type != DT_DIR || name == "." || name == "..")
            continue;
        os::Fd child(::openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!child) {
            if (errno == ENOENT)
                continue;
            return system_error("open a cgroup");
        }
        RUNVM_TRY(visit_below(child.get(), visit));
        RUNVM_TRY(visit(folder, child.get(), entry->d_name));
    }
    return {};
}

Result<std::string> read_at(int folder, const char* name) {
    os::Fd file(::openat(folder, name, O_RDONLY | O_CLOEXEC));
    if (!file)
        return system_error(std::string("open ") + name);
    return os::read_fd(file.get(), name, max_file_bytes);
}

Result<void> append_processes(int folder, std::vector<pid_t>& pids) {
    Result<std::string> text = read_at(folder, "cgroup.procs");
    if (!text) {
        // EOPNOTSUPP: a threaded cgroup, whose processes its parent lists. ENODEV: removed meanwhile.
        int reason = text.error().errno_value();
        return reason == EOPNOTSUPP || reason == ENODEV || reason == ENOENT ? Result<void>() : text.error();
    }
    const char* next = text->data();
    const char* end = next + text->size();
    while (next < end) {
        pid_t pid = 0;
        auto parsed = std::from_chars(next, end, pid);
        if (parsed.ec != std::errc())
            break;
        if (pid > 0)
            pids.push_back(pid);
        next = parsed.ptr + 1;
    }
    return {};
}

Result<void> enable_controllers(const std::string& path) {
    RUNVM_ASSIGN(std::string controllers, os::read_file(path + "/cgroup.controllers"));
    RUNVM_ASSIGN(os::Fd file, os::open_file(path + "/cgroup.subtree_control", O_WRONLY));
    std::string all;
    size_t begin = 0;
    while (begin < controllers.size()) {
        size_t end = controllers.find_first_of(" \n", begin);
        if (end == std::string::npos)
            end = controllers.size();
        if (end > begin)
            all += "+" + controllers.substr(begin, end - begin) + " ";
        begin = end + 1;
    }
    return all.empty() ? Result<void>() : os::write_all(file.get(), all, path + "/cgroup.subtree_control");
}

bool valid_file_name(const std::string& name) {
    return !name.empty() && name[0] != '.' && name.find('/') == std::string::npos;
}

} // namespace

uint64_t keyed_value(const std::string& text, const std::string& key) {
    for (std::string_view rest = text; !rest.empty();) {
        std::string_view line = take_until(rest, '\n');
        if (!line.starts_with(key + " "))
            continue;
        uint64_t value = 0;
        std::from_chars(line.data() + key.size() + 1, line.data() + line.size(), value);
        return value;
    }
    return 0;
}

Result<void> Cgroup::prepare_parent() {
    RUNVM_TRY(enable_controllers("/sys/fs/cgroup"));
    if (::mkdir(parent, 0755) != 0 && errno != EEXIST)
        return system_error(std::string("mkdir ") + parent);
    return enable_controllers(parent);
}

Result<Cgroup> Cgroup::create(const std::string& id) {
    std::string path = std::string(parent) + "/" + id;
    if (::mkdir(path.c_str(), 0755) != 0) {
        if (errno == EEXIST)
            return Error(ErrorKind::already_exists, "cgroup " + path + " exists already", EEXIST);
        return system_error("mkdir " + path);
    }
    Result<os::Fd> folder = os::open_file(path, O_RDONLY | O_DIRECTORY);
    if (!folder) {
        ::rmdir(path.c_str());
        return std::move(folder).error();
    }
    Cgroup cgroup(path, std::move(*folder));
    for (auto [name, value] :
         {std::pair("cgroup.max.depth", max_depth), {"cgroup.max.descendants", max_descendants}}) {
        if (Result<void> written = cgroup.write(name, value, false); !written) {
            ::rmdir(path.c_str());
            return std::move(written).error();
        }
    }
    return cgroup;
}

Result<void> Cgroup::give_to(uid_t uid) const {
    // "cgroup.procs\ncgroup.threads\n...": what this kernel means to be delegated, as runc asks it
    // (fs2/create.go).
    RUNVM_ASSIGN(std::string files, os::read_file("/sys/kernel/cgroup/delegate"));
    if (::fchown(folder_.get(), uid, static_cast<gid_t>(-1)) != 0)
        return system_error("chown the cgroup");
    for (std::string_view rest = files; !rest.empty();) {
        std::string name(take_until(rest, '\n'));
        if (valid_file_name(name) &&
            ::fchownat(folder_.get(), name.c_str(), uid, static_cast<gid_t>(-1), AT_SYMLINK_NOFOLLOW) != 0 &&
            errno != ENOENT)
            return system_error("chown the cgroup file " + name);
    }
    return {};
}

Result<void> Cgroup::write(const std::string& name, const std::string& value, bool optional) const {
    if (!valid_file_name(name))
        return Error(ErrorKind::invalid_argument, "bad name of a cgroup file: `" + name + "`");
    os::Fd file(::openat(folder_.get(), name.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file) {
        if (errno == ENOENT && optional)
            return {};
        if (errno == ENOENT)
            return Error(ErrorKind::unsupported, "the guest's kernel has no cgroup file " + name, ENOENT);
        return system_error("open the cgroup file " + name);
    }
    return os::write_all(file.get(), value, "`" + value + "` to the cgroup file " + name);
}

Result<std::string> Cgroup::read(const std::string& name) const {
    if (!valid_file_name(name))
        return Error(ErrorKind::invalid_argument, "bad name of a cgroup file: `" + name + "`");
    os::Fd file(::openat(folder_.get(), name.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
        if (errno == ENOENT)
            return std::string();
        return system_error("open the cgroup file " + name);
    }
    return os::read_fd(file.get(), name, max_read_bytes);
}

std::vector<Cgroup::File> Cgroup::files_of(protocol::Resources::Reader resources) {
    std::vector<File> files;
    for (auto file : resources.getFiles())
        files.push_back({file.getName().cStr(), file.getValue().cStr(), file.getOptional()});
    return files;
}

Result<void> Cgroup::write_files(const std::vector<File>& files) const {
    // A value may be wrong as long as another has not changed: a quota below the burst that was.
    std::vector<File> early;
    for (const File& file : files) {
        Result<void> written = write(file.name, file.value, file.optional);
        if (!written && written.error().errno_value() != EINVAL)
            return written;
        if (!written)
            early.push_back(file);
    }
    for (const File& file : early)
        RUNVM_TRY(write(file.name, file.value, file.optional));
    return {};
}

std::vector<Cgroup::File> Cgroup::read_files(const std::vector<File>& files) const {
    std::vector<File> now;
    for (const File& file : files)
        if (Result<std::string> text = read(file.name); text && !text->empty())
            now.push_back({file.name, *text, true});
    std::reverse(now.begin(), now.end());
    return now;
}

Result<void> Cgroup::apply(protocol::Resources::Reader resources) {
    RUNVM_TRY(write_files(files_of(resources)));
    auto rules = resources.getDeviceRules();
    if (rules.size() == 0)
        return {};
    std::vector<DeviceAccessRule> checked;
    for (auto rule : rules) {
        RUNVM_ASSIGN(DeviceAccessRule made, device_rule(rule));
        checked.push_back(made);
    }
    return attach_device_program(folder_.get(), device_program(checked));
}

Result<uint64_t> Cgroup::memory_usage() const {
    RUNVM_ASSIGN(std::string text, read("memory.current"));
    uint64_t bytes = 0;
    std::from_chars(text.data(), text.data() + text.size(), bytes);
    return bytes;
}

// cgroup v1 refused such a limit after it had tried to reclaim the difference; v2 kills.
Result<void> Cgroup::make_room(uint64_t limit_bytes) const {
    RUNVM_ASSIGN(uint64_t usage, memory_usage());
    if (usage <= limit_bytes)
        return {};
    // Fails if less could be reclaimed: what counts is what is left. (Kernels before 5.19 have no such file.)
    (void)write("memory.reclaim", std::to_string(usage - limit_bytes), true);
    RUNVM_ASSIGN(usage, memory_usage());
    if (usage <= limit_bytes)
        return {};
    return Error(ErrorKind::invalid_argument,
                 "rejecting memory limit " + std::to_string(limit_bytes) + " <= usage " +
                     std::to_string(usage),
                 EBUSY); // runc's words
}

Result<void> Cgroup::update(protocol::Resources::Reader resources) {
    for (auto file : resources.getFiles()) {
        auto limit = whole_number<uint64_t>(file.getValue().cStr());
        if (limit && file.getName() == "memory.max")
            RUNVM_TRY(make_room(*limit));
    }
    std::vector<File> files = files_of(resources);
    std::vector<File> before = read_files(files);
    Result<void> written = write_files(files);
    if (!written)
        (void)write_files(before); // the error that counts is the first
    return written;
}

Result<os::Fd> Cgroup::open_below(const std::string& path) const {
    size_t begin = path.find_first_not_of('/');
    std::string relative = begin == std::string::npos ? "." : path.substr(begin);
    Result<os::Fd> folder = open_beneath(folder_.get(), relative, O_RDONLY | O_DIRECTORY);
    if (folder || (folder.error().errno_value() != EXDEV && folder.error().errno_value() != ENOENT))
        return std::move(folder).context("cgroup " + path);
    if (folder.error().errno_value() == EXDEV) // runc's words
        return Error(ErrorKind::invalid_argument, path + " is not a sub cgroup path");
    return Error(ErrorKind::invalid_argument, "the container has no cgroup " + path);
}

Result<std::vector<pid_t>> Cgroup::processes() const {
    std::vector<pid_t> pids;
    RUNVM_TRY(append_processes(folder_.get(), pids));
    RUNVM_TRY(visit_below(folder_.get(),
                          [&](int, int child, const char*) { return append_processes(child, pids); }));
    return pids;
}

Result<void> Cgroup::kill() const {
    return write("cgroup.kill", "1", false);
}

Result<void> Cgroup::set_frozen(bool frozen) const {
    return write("cgroup.freeze", frozen ? "1" : "0", false);
}

bool Cgroup::says(const char* file, const char* key) const {
    Result<std::string> text = read_at(folder_.get(), file);
    return text && keyed_value(*text, key) != 0;
}

bool Cgroup::is_frozen() const {
    return says("cgroup.events", "frozen");
}

bool Cgroup::populated() const {
    return says("cgroup.events", "populated");
}

bool Cgroup::oom_killed() const {
    return says("memory.events", "oom_kill");
}

Result<void> Cgroup::remove() {
    RUNVM_TRY(visit_below(folder_.get(), [](int parent_folder, int, const char* name) -> Result<void> {
        if (::unlinkat(parent_folder, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
            return system_error(std::string("remove the cgroup ") + name);
        return {};
    }));
    if (::rmdir(path_.c_str()) != 0 && errno != ENOENT)
        return system_error("remove the cgroup " + path_);
    return {};
}

} // namespace runvm::agent
