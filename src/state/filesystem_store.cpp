// The filesystem store. What makes it safe without any daemon:
// - A container's folder appears under its name (rename) complete and locked, and disappears (rename) in one
// step.
//   Names with '@' are folders on their way in or out: an id cannot hold one.
// - The lock is flock(2) of the folder itself: it goes with the process, and leaves nothing to clean up.
// - Files are replaced whole, so readers need no lock.
#include "core/defer.h"
#include "os/file.h"
#include "state/claim.h"
#include "state/state_file.h"
#include "state/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <optional>

namespace runvm::state {
namespace {

constexpr std::string_view new_prefix = "@new-";
constexpr std::string_view deleted_prefix = "@deleted-";
constexpr const char* state_name = "state.json";
constexpr const char* config_name = "config.json";
constexpr int64_t max_file_bytes = 16 << 20;

/// The error of opening a container's folder.
Error folder_error(Error error, const std::string& path) {
    if (error.errno_value() == ENOENT)
        return not_found();
    if (error.errno_value() == ENOTDIR)
        return corrupted(path, "it is not a folder");
    return error;
}

/// A file of a container's folder (open, at `path`); nothing if it is not there.
Result<std::optional<std::string>> read_file_at(int folder, const char* name, const std::string& path) {
    std::string file = path + "/" + name;
    os::Fd fd(::openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd && errno == ENOENT)
        return std::optional<std::string>();
    if (!fd && errno != ELOOP)
        return system_error("open " + file);
    struct stat info {};
    if (!fd || (::fstat(fd.get(), &info) == 0 && !S_ISREG(info.st_mode)))
        return corrupted(file, "it is not a regular file");
    if (info.st_size > max_file_bytes)
        return corrupted(file, "it is far too large");
    RUNVM_ASSIGN(std::string text, os::read_fd(fd.get(), file, max_file_bytes));
    return std::optional<std::string>(std::move(text));
}

/// A name below the root that no other process and no other call of this one uses.
std::string unique_name(std::string_view prefix) {
    static std::atomic<uint64_t> counter{0};
    return std::string(prefix) + std::to_string(::getpid()) + "-" + std::to_string(counter++);
}

bool exists(const std::string& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 || errno != ENOENT;
}

/// Calls `visit(name, is_folder)` for everything in the root but "." and "..". A missing root is empty.
template <class Visit>
Result<void> for_each_entry(const std::string& root, Visit visit) {
    std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(root.c_str()), ::closedir);
    if (!listing) {
        if (errno == ENOENT)
            return {};
        return system_error("open " + root);
    }
    while (true) {
        errno = 0;
        const dirent* entry = ::readdir(listing.get());
        if (entry == nullptr)
            break;
        std::string name = entry->d_name;
        if (name == "." || name == "..")
            continue;
        bool is_folder = entry->d_type == DT_DIR;
        if (entry->d_type == DT_UNKNOWN) {
            struct stat info {};
            is_folder = ::fstatat(::dirfd(listing.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                        S_ISDIR(info.st_mode);
        }
        visit(name, is_folder);
    }
    if (errno != 0)
        return system_error("read " + root);
    return {};
}

class FilesystemStore final : public Store {
public:
    explicit FilesystemStore(std::string root) : root_(std::move(root)) {}

    Result<Lock> reserve(const std::string& id) override;
    Result<Lock> lock(const std::string& id, int limit_ms) override;
    Result<void> save(const Container& container) override;
    Result<Container> load(const std::string& id) override;
    Result<void> remove(const std::string& id) override;
    Result<std::vector<std::string>> list() override;

private:
    std::string folder_of(const std::string& id) const { return root_ + "/" + id; }
    Result<std::optional<Lock>> try_reserve(const std::string& id);
    Result<std::string> hide(const std::string& id) const;
    void clear_leftovers() const;

    std::string root_;
};

Result<Lock> FilesystemStore::reserve(const std::string& id) {
    RUNVM_TRY(check_id(id));
    RUNVM_TRY(os::make_folders(root_, 0700));
    clear_leftovers();
    // Another process's clear_leftovers may take the folder in the instant before it is locked: then once
    // more.
    for (int attempt = 0; attempt < 100; ++attempt) {
        auto reserved = try_reserve(id);
        if (!reserved)
            return with_container(std::move(reserved).error(), id);
        if (reserved->has_value())
            return std::move(**reserved);
    }
    return Error(ErrorKind::system,
                 "container " + id + ": its new folder below " + root_ + " keeps vanishing");
}

Result<std::optional<Lock>> FilesystemStore::try_reserve(const std::string& id) {
    std::optional<Lock> again;
    if (exists(folder_of(id)))
        return already_exists();

    std::string folder = root_ + "/" + unique_name(new_prefix);
    if (::mkdir(folder.c_str(), 0700) != 0) {
        if (errno == EEXIST)
            return again; // of a dead process that had our pid
        return system_error("mkdir " + folder);
    }
    Defer remove_folder([&] { (void)os::remove_tree(folder); });
    auto fd = os::open_file(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!fd) {
        if (fd.error().errno_value() == ENOENT)
            return again;
        return std::move(fd).error();
    }
    RUNVM_ASSIGN(Locked locked, try_lock(fd->get(), folder));
    if (locked == Locked::no || !is_still_at(fd->get(), folder))
        return again;

    RUNVM_ASSIGN(std::string text, format_state(reserved_container(id)));
    RUNVM_TRY(os::write_file_atomically(folder + "/" + state_name, text, 0600, /*durable=*/false));
    if (::renameat2(AT_FDCWD, folder.c_str(), AT_FDCWD, folder_of(id).c_str(), RENAME_NOREPLACE) != 0) {
        if (errno == EEXIST)
            return already_exists();
        return system_error("rename " + folder + " to " + folder_of(id));
    }
    remove_folder.dismiss();
    return std::optional<Lock>(Lock(std::move(*fd)));
}

Result<Lock> FilesystemStore::lock(const std::string& id, int limit_ms) {
    RUNVM_TRY(check_id(id));
    auto fd = os::open_file(folder_of(id), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!fd)
        return with_container(folder_error(std::move(fd).error(), folder_of(id)), id);
    RUNVM_TRY(wait_for_lock(fd->get(), folder_of(id), "container " + id, limit_ms));
    // Deleted while this waited: the lock is that of a folder nobody can find any more.
    if (!is_still_at(fd->get(), folder_of(id)))
        return with_container(not_found(), id);
    return Lock(std::move(*fd));
}

Result<void> FilesystemStore::save(const Container& container) {
    RUNVM_TRY(check_id(container.id));
    std::string folder = folder_of(container.id);
    RUNVM_ASSIGN(std::string text, format_state(container));

    // config.json first: a state.json that was saved always has its config.
    Result<void> written;
    std::string config_path = folder + "/" + config_name;
    auto config = os::read_file(config_path);
    if (!config || *config != container.config)
        written = os::write_file_atomically(config_path, container.config, 0600, /*durable=*/true);
    if (written)
        written = os::write_file_atomically(folder + "/" + state_name, text, 0600, /*durable=*/true);
    if (written)
        return {};
    if (!exists(folder))
        return with_container(not_found(), container.id);
    return with_container(std::move(written).error(), container.id);
}

Result<Container> FilesystemStore::load(const std::string& id) {
    RUNVM_TRY(check_id(id));
    // Both files are read in one folder, held open: the id may be deleted and taken again in between.
    std::string path = folder_of(id);
    auto folder = os::open_file(path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!folder)
        return with_container(folder_error(std::move(folder).error(), path), id);
    auto text = read_file_at(folder->get(), state_name, path);
    auto config = read_file_at(folder->get(), config_name, path);
    if (!is_still_at(folder->get(), path)) // deleted meanwhile: one of the files may have been gone already
        return with_container(not_found(), id);
    if (!text)
        return with_container(std::move(text).error(), id);
    if (!config)
        return with_container(std::move(config).error(), id);

    path += std::string("/") + state_name;
    // A crash of the machine can empty a folder, but whoever else did may have left a machine running.
    if (!text->has_value())
        return corrupted(path, "it is missing");
    RUNVM_ASSIGN(Container container, parse_state(**text, path));
    if (container.id != id)
        return corrupted(path, "it is that of container " + container.id);
    // Without a config, a container is reserved but not saved yet.
    if (config->has_value())
        container.config = std::move(**config);
    else if (container.status != Status::creating)
        return corrupted(folder_of(id) + "/" + config_name, "it is missing");
    return container;
}

Result<void> FilesystemStore::remove(const std::string& id) {
    RUNVM_TRY(check_id(id));
    // Asked first, because a read-only filesystem refuses the rename of what does not exist, too.
    if (exists(folder_of(id))) {
        RUNVM_ASSIGN(std::string doomed, hide(id));
        auto removed = os::remove_tree(doomed);
        if (!removed)
            return with_container(std::move(removed).error(), id);
    }
    clear_leftovers();
    return {};
}

/// Takes the container out of everybody's sight in one step, and returns where its folder is now.
Result<std::string> FilesystemStore::hide(const std::string& id) const {
    std::string doomed;
    int result;
    do { // again if a dead process that had our pid has left a folder of this name
        doomed = root_ + "/" + unique_name(deleted_prefix);
        result = ::renameat2(AT_FDCWD, folder_of(id).c_str(), AT_FDCWD, doomed.c_str(), RENAME_NOREPLACE);
    } while (result != 0 && errno == EEXIST);
    if (result != 0 && errno != ENOENT)
        return with_container(system_error("rename " + folder_of(id) + " to " + doomed), id);
    return doomed;
}

/// Removes what processes that were killed in reserve() or remove() have left. Failures are not this
/// command's business: the next one tries again.
void FilesystemStore::clear_leftovers() const {
    std::vector<std::string> leftovers;
    (void)for_each_entry(root_, [&](const std::string& name, bool) {
        if (name.starts_with(deleted_prefix) || name.starts_with(new_prefix))
            leftovers.push_back(root_ + "/" + name);
    });
    for (const std::string& path : leftovers) {
        // A folder on its way in is locked by who makes it; one on its way out may be taken by two at once.
        auto fd = os::open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (!fd)
            continue;
        auto locked = try_lock(fd->get(), path);
        if (!locked || *locked == Locked::no || !is_still_at(fd->get(), path))
            continue;
        (void)os::remove_tree(path);
    }
}

Result<std::vector<std::string>> FilesystemStore::list() {
    std::vector<std::string> ids;
    RUNVM_TRY(for_each_entry(root_, [&](const std::string& name, bool is_folder) {
        if (is_folder && check_id(name))
            ids.push_back(name);
    }));
    std::sort(ids.begin(), ids.end());
    return ids;
}

} // namespace

std::unique_ptr<Store> open_filesystem_store(const std::string& root) {
    return std::make_unique<FilesystemStore>(root);
}

} // namespace runvm::state
