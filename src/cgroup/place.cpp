#include "cgroup/place.h"

#include "core/number.h"
#include "core/take_until.h"
#include "os/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

namespace runvm::cgroup {

namespace {

constexpr mode_t folder_mode = 0755;
// A process that was killed leaves its cgroup a moment later: 1 + 2 + ... + 512 ms.
constexpr int remove_tries = 10;
// Each takes what was forked during the one before. A process that is ending cannot be moved (the kernel says
// it was), and leaves by itself.
constexpr int move_tries = 100;
constexpr useconds_t move_pause_us = 10000;

std::string parent_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

/// The file's first line; empty if it cannot be read.
std::string first_line(const std::string& path) {
    auto text = os::read_file(path);
    return text ? text->substr(0, text->find('\n')) : "";
}

/// A v1 cpuset without cpus or nodes takes no process, and a new one has none.
Result<void> fill_cpuset(const std::string& folder) {
    for (const char* name : {"/cpuset.cpus", "/cpuset.mems"}) {
        RUNVM_ASSIGN(std::string own, os::read_file(folder + name));
        if (own.find_first_not_of('\n') != std::string::npos)
            continue;
        RUNVM_ASSIGN(std::string inherited, os::read_file(parent_of(folder) + name));
        RUNVM_TRY(os::write_into(folder + name, inherited));
    }
    return {};
}

/// Passes on to the cgroups below what this one has. A controller that cannot be passed on (a process is in
/// the way, or this is somebody's delegated tree) is missed where a limit needs it.
Result<void> pass_on_controllers(const std::string& folder) {
    RUNVM_ASSIGN(std::string controllers, os::read_file(folder + "/cgroup.controllers"));
    std::replace(controllers.begin(), controllers.end(), '\n', ' ');
    for (std::string_view rest = controllers; !rest.empty();)
        if (std::string_view name = take_until(rest, ' '); !name.empty())
            (void)os::write_into(folder + "/cgroup.subtree_control", "+" + std::string(name));
    return {};
}

/// `path` and what is above it, down from the mount, which is the first.
std::vector<std::string> lineage(const std::string& mount, const std::string& path) {
    std::vector<std::string> folders;
    for (std::string current = path; current.size() > mount.size(); current = parent_of(current))
        folders.push_back(current);
    folders.push_back(mount);
    std::reverse(folders.begin(), folders.end());
    return folders;
}

Result<void> make_folder(const std::string& path) {
    if (::mkdir(path.c_str(), folder_mode) != 0 && errno != EEXIST)
        return system_error("make the cgroup " + path);
    return {};
}

Result<void> make_in_v1(const Hierarchy& hierarchy, const std::string& path) {
    bool cpuset = has_controller(hierarchy.controllers, "cpuset");
    std::vector<std::string> folders = lineage(hierarchy.mount, path);
    for (size_t i = 1; i < folders.size(); ++i) {
        RUNVM_TRY(make_folder(folders[i]));
        if (cpuset)
            RUNVM_TRY(fill_cpuset(folders[i]).context("make the cgroup " + folders[i]));
    }
    return {};
}

Result<void> make_in_v2(const Hierarchy& hierarchy, const std::string& path) {
    std::vector<std::string> folders = lineage(hierarchy.mount, path);
    for (size_t i = 0; i < folders.size(); ++i) {
        if (i > 0)
            RUNVM_TRY(make_folder(folders[i]));
        if (folders[i] != path)
            RUNVM_TRY(pass_on_controllers(folders[i]));
    }
    // One below a cgroup that has both processes and controllers takes no process at all.
    std::string type = first_line(path + "/cgroup.type");
    if (type == "domain invalid")
        return Error(ErrorKind::wrong_state, "cannot enter cgroupv2 \"" + path +
                                                 "\" with domain controllers -- it is in an invalid state");
    return {};
}

bool is_frozen(const std::string& folder) {
    std::string v1 = first_line(folder + "/freezer.state");
    return v1 == "FROZEN" || v1 == "FREEZING" || first_line(folder + "/cgroup.freeze") == "1";
}

/// Calls `visit` with the paths of all cgroups below, and of the folder itself, the deepest first.
template <class Visit>
Result<void> visit_tree(const std::string& folder, const Visit& visit) {
    std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(folder.c_str()), ::closedir);
    if (!listing)
        return errno == ENOENT ? Result<void>() : system_error("list the cgroup " + folder);
    while (const dirent* entry = ::readdir(listing.get())) {
        std::string_view name = entry->d_name;
        if (entry->d_type == DT_DIR && name != "." && name != "..")
            RUNVM_TRY(visit_tree(folder + "/" + entry->d_name, visit));
    }
    return visit(folder);
}

Result<std::vector<pid_t>> processes_of_tree(const std::string& folder) {
    std::vector<pid_t> all;
    RUNVM_TRY(visit_tree(folder, [&](const std::string& path) -> Result<void> {
        RUNVM_ASSIGN(std::vector<pid_t> pids, processes_in(path));
        all.insert(all.end(), pids.begin(), pids.end());
        return {};
    }));
    return all;
}

Error still_used(const std::string& folder, const std::vector<pid_t>& pids) {
    std::string list;
    for (pid_t pid : pids)
        list += (list.empty() ? "" : ", ") + std::to_string(pid);
    return {ErrorKind::wrong_state, "cgroup " + folder + " cannot be removed: processes are in it" +
                                        (list.empty() ? "" : ": " + list)};
}

Result<void> remove_folder(const std::string& folder, int tries) {
    useconds_t pause_us = 1000;
    for (int left = tries; left > 0; --left) {
        if (::rmdir(folder.c_str()) == 0 || errno == ENOENT)
            return {};
        if (errno != EBUSY)
            return system_error("remove the cgroup " + folder);
        ::usleep(pause_us);
        pause_us *= 2;
    }
    auto pids = processes_in(folder);
    return still_used(folder, pids ? *pids : std::vector<pid_t>());
}

/// Success if the process has gone.
Result<void> move_process(const std::string& folder, pid_t pid) {
    auto written = os::write_into(folder + "/cgroup.procs", std::to_string(pid));
    if (!written && written.error().errno_value() == ESRCH)
        return Error(ErrorKind::process_finished, "process " + std::to_string(pid) + " has ended", ESRCH);
    return written;
}

} // namespace

Result<std::vector<pid_t>> processes_in(const std::string& folder) {
    auto text = os::read_file(folder + "/cgroup.procs");
    std::vector<pid_t> pids;
    if (!text) {
        // EOPNOTSUPP: a threaded cgroup, whose processes its parent lists. ENODEV: removed meanwhile.
        int reason = text.error().errno_value();
        if (reason == ENOENT || reason == ENODEV || reason == EOPNOTSUPP)
            return pids;
        return std::move(text).error();
    }
    for (std::string_view rest = *text; !rest.empty();)
        if (auto pid = whole_number<pid_t>(take_until(rest, '\n'));
            pid && *pid > 0) // 0: of another namespace
            pids.push_back(*pid);
    return pids;
}

Result<Place> Place::at(const std::vector<Hierarchy>& hierarchies, const std::string& path) {
    if (path.find_first_not_of('/') == std::string::npos)
        return Error(ErrorKind::invalid_argument,
                     "linux.cgroupsPath: found \"" + path + "\"; a cgroup below the root is expected");
    Place place;
    bool unified = cgroup::is_unified(hierarchies);
    for (const Hierarchy& hierarchy : hierarchies) {
        // In a delegated tree, which shows less than the process is in, it starts at the top.
        std::string base = path.starts_with('/') || hierarchy.own.empty() ? hierarchy.mount : hierarchy.own;
        // A cgroup v2 with processes, such as the caller's, cannot have limits below it (fs2/defaultpath.go).
        if (unified && hierarchy.is_v2() && base != hierarchy.mount && !path.starts_with('/'))
            base = parent_of(base);
        place.folders_[hierarchy.controllers] = base + (path.starts_with('/') ? "" : "/") + path;
    }
    return place;
}

bool Place::is_unified() const {
    return std::all_of(folders_.begin(), folders_.end(), [](const auto& folder) {
        return folder.first.empty() || folder.first.starts_with("name=");
    });
}

std::string Place::folder_of(const std::string& controller) const {
    for (const auto& [controllers, folder] : folders_)
        if (has_controller(controllers, controller))
            return folder;
    auto v2 = folders_.find("");
    return is_unified() && v2 != folders_.end() ? v2->second : "";
}

// runc (libcontainer/factory_linux.go) refuses both since 1.2; before it warned of the first.
Result<void> Place::check_unused() const {
    for (const auto& [controllers, folder] : folders_) {
        RUNVM_ASSIGN(std::vector<pid_t> pids, processes_of_tree(folder));
        if (!pids.empty())
            return Error(ErrorKind::wrong_state,
                         "container's cgroup is not empty: " + std::to_string(pids.size()) +
                             " process(es) found in " + folder);
        if (is_frozen(folder)) // who is put there never gets to its execve
            return Error(ErrorKind::wrong_state, "container's cgroup unexpectedly frozen: " + folder);
    }
    return {};
}

Result<void> Place::make(const std::vector<Hierarchy>& hierarchies) const {
    for (const Hierarchy& hierarchy : hierarchies) {
        auto folder = folders_.find(hierarchy.controllers);
        if (folder == folders_.end())
            continue;
        // Of a hybrid host's v2 nothing is wanted but that the processes are there.
        bool with_controllers = hierarchy.is_v2() && is_unified();
        RUNVM_TRY(with_controllers ? make_in_v2(hierarchy, folder->second)
                                   : make_in_v1(hierarchy, folder->second));
    }
    return {};
}

Result<void> Place::add(pid_t pid) const {
    for (const auto& [controllers, folder] : folders_)
        RUNVM_TRY(move_process(folder, pid).context("put a process into the cgroup " + folder));
    return {};
}

Result<std::vector<pid_t>> Place::processes() const {
    std::vector<pid_t> all;
    for (const auto& [controllers, folder] : folders_) {
        RUNVM_ASSIGN(std::vector<pid_t> pids, processes_in(folder));
        all.insert(all.end(), pids.begin(), pids.end());
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

Result<void> Place::move_to(const Place& other) const {
    for (const auto& [controllers, folder] : folders_) {
        auto target = other.folders_.find(controllers);
        if (target == other.folders_.end())
            continue;
        std::vector<pid_t> before;
        for (int left = move_tries;; --left) {
            RUNVM_ASSIGN(std::vector<pid_t> pids, processes_in(folder));
            if (pids.empty())
                break;
            if (left == 0)
                return still_used(folder, pids);
            if (pids == before)
                ::usleep(move_pause_us);
            before = pids;
            for (pid_t pid : pids)
                if (auto moved = move_process(target->second, pid);
                    !moved && moved.error().kind() != ErrorKind::process_finished)
                    return std::move(moved).context("move a process to the cgroup " + target->second);
        }
    }
    return {};
}

Result<void> Place::remove() const {
    Result<void> first;
    for (const auto& [controllers, folder] : folders_) {
        // Processes that did not leave one do not leave the others either.
        int tries = first ? remove_tries : 1;
        auto removed =
            visit_tree(folder, [tries](const std::string& path) { return remove_folder(path, tries); });
        if (!removed && first)
            first = std::move(removed);
    }
    return first;
}

} // namespace runvm::cgroup
