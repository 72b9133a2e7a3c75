// The LevelDB store: "state/ID" and "config/ID" in one database.
//
// The lock of a container is flock(2) of <root>/@locks/ID, a file that is there as long as the container is;
// it goes with the process. Who deletes the container removes the file while it holds the lock, so that who
// waited for it finds out (as in the filesystem store, whose lock is the container's folder).
#include "state/leveldb/store.h"

#include "os/file.h"
#include "state/claim.h"
#include "state/leveldb/database.h"
#include "state/state_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace runvm::state {
namespace {

constexpr const char* state_prefix = "state/";
constexpr const char* config_prefix = "config/";
// How long somebody may take who reserves or deletes the same id.
constexpr std::chrono::seconds reserve_limit(10);

class LeveldbStore final : public Store {
public:
    explicit LeveldbStore(std::string root) : root_(std::move(root)) {}

    Result<Lock> reserve(const std::string& id) override;
    Result<Lock> lock(const std::string& id, int limit_ms) override;
    Result<void> save(const Container& container) override;
    Result<Container> load(const std::string& id) override;
    Result<void> remove(const std::string& id) override;
    Result<std::vector<std::string>> list() override;
    Result<std::vector<Loaded>> load_all() override;

private:
    std::string locks_folder() const { return root_ + "/@locks"; }
    std::string lock_path(const std::string& id) const { return locks_folder() + "/" + id; }
    Result<bool> exists(const std::string& id) const;
    Result<Container> load_from(const Database& database, const std::string& id) const;
    static Result<std::vector<std::string>> ids_in(const Database& database);
    Result<std::optional<os::Fd>> try_claim(const std::string& id) const;
    void remove_leftover(const std::string& id) const;
    Result<os::Fd> open_lock(const std::string& id) const;
    Result<void> put_reserved(const std::string& id) const;
    Result<void> erase(const std::string& id) const;

    std::string root_;
};

Result<bool> LeveldbStore::exists(const std::string& id) const {
    RUNVM_ASSIGN(std::optional<Database> database, Database::open_to_read(root_));
    if (!database)
        return false;
    RUNVM_ASSIGN(std::optional<std::string> text, database->get(state_prefix + id));
    return text.has_value();
}

/// The lock file of an id that no container has, locked; nothing if another process has it just now.
Result<std::optional<os::Fd>> LeveldbStore::try_claim(const std::string& id) const {
    std::string path = lock_path(id);
    auto fd = os::open_file(path, O_RDONLY | O_CREAT | O_NOFOLLOW, 0600);
    if (!fd)
        return std::move(fd).error();
    RUNVM_ASSIGN(Locked locked, try_lock(fd->get(), path));
    if (locked == Locked::no || !is_still_at(fd->get(), path))
        return std::optional<os::Fd>();
    return std::optional<os::Fd>(std::move(*fd));
}

/// Removes a lock file that no process has, of an id without a container: who reserves it meanwhile waits,
/// and finds the file gone.
void LeveldbStore::remove_leftover(const std::string& id) const {
    std::string path = lock_path(id);
    auto fd = os::open_file(path, O_RDONLY | O_NOFOLLOW);
    if (!fd)
        return;
    auto locked = try_lock(fd->get(), path);
    if (!locked || *locked == Locked::no || !is_still_at(fd->get(), path))
        return;
    if (auto there = exists(id); there && !*there)
        ::unlink(path.c_str());
}

Result<void> LeveldbStore::put_reserved(const std::string& id) const {
    RUNVM_ASSIGN(Database database, Database::open_to_write(root_));
    RUNVM_ASSIGN(std::string text, format_state(reserved_container(id)));
    return database.put({{state_prefix + id, text}});
}

Result<Lock> LeveldbStore::reserve(const std::string& id) {
    RUNVM_TRY(check_id(id));
    RUNVM_TRY(os::make_folders(locks_folder(), 0700));
    auto deadline = std::chrono::steady_clock::now() + reserve_limit;
    while (true) {
        RUNVM_ASSIGN(bool taken, exists(id));
        if (taken)
            return with_container(already_exists(), id);
        auto claimed = try_claim(id);
        if (!claimed)
            return with_container(std::move(claimed).error(), id);
        if (*claimed) {
            RUNVM_ASSIGN(taken, exists(id)); // by who had the lock before
            if (taken)
                return with_container(already_exists(), id);
            if (auto reserved = put_reserved(id); !reserved) {
                ::unlink(lock_path(id).c_str());
                return with_container(std::move(reserved).error(), id);
            }
            return Lock(std::move(**claimed));
        }
        if (std::chrono::steady_clock::now() > deadline)
            return with_container(already_exists(), id);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

/// The lock file of a container that is there. One that was lost is made again.
Result<os::Fd> LeveldbStore::open_lock(const std::string& id) const {
    auto fd = os::open_file(lock_path(id), O_RDONLY | O_NOFOLLOW);
    if (fd || fd.error().errno_value() != ENOENT)
        return fd;
    RUNVM_TRY(os::make_folders(locks_folder(), 0700));
    return os::open_file(lock_path(id), O_RDONLY | O_CREAT | O_NOFOLLOW, 0600);
}

Result<Lock> LeveldbStore::lock(const std::string& id, int limit_ms) {
    RUNVM_TRY(check_id(id));
    RUNVM_ASSIGN(bool there, exists(id));
    if (!there)
        return with_container(not_found(), id);
    auto fd = open_lock(id);
    if (!fd)
        return with_container(std::move(fd).error(), id);
    RUNVM_TRY(wait_for_lock(fd->get(), lock_path(id), "container " + id, limit_ms));
    RUNVM_ASSIGN(there, exists(id));
    if (is_still_at(fd->get(), lock_path(id))) {
        if (there)
            return Lock(std::move(*fd));
        ::unlink(lock_path(id).c_str()); // made by open_lock after another process had deleted the container
    }
    return with_container(not_found(), id);
}

Result<void> LeveldbStore::save(const Container& container) {
    RUNVM_TRY(check_id(container.id));
    RUNVM_ASSIGN(std::string text, format_state(container));
    auto put = [&]() -> Result<void> {
        if (!Database::exists(root_))
            return not_found();
        RUNVM_ASSIGN(Database database, Database::open_to_write(root_));
        RUNVM_ASSIGN(std::optional<std::string> there, database.get(state_prefix + container.id));
        if (!there)
            return not_found();
        return database.put(
            {{config_prefix + container.id, container.config}, {state_prefix + container.id, text}});
    };
    if (auto done = put(); !done)
        return with_container(std::move(done).error(), container.id);
    return {};
}

Result<Container> LeveldbStore::load(const std::string& id) {
    RUNVM_TRY(check_id(id));
    RUNVM_ASSIGN(std::optional<Database> database, Database::open_to_read(root_));
    if (!database)
        return with_container(not_found(), id);
    return load_from(*database, id);
}

Result<Container> LeveldbStore::load_from(const Database& database, const std::string& id) const {
    RUNVM_ASSIGN(std::optional<std::string> text, database.get(state_prefix + id));
    if (!text)
        return with_container(not_found(), id);
    RUNVM_ASSIGN(std::optional<std::string> config, database.get(config_prefix + id));
    std::string name = Database::folder(root_) + ": " + state_prefix + id;
    RUNVM_ASSIGN(Container container, parse_state(*text, name));
    if (container.id != id)
        return corrupted(name, "it is that of container " + container.id);
    if (config)
        container.config = std::move(*config);
    else if (container.status != Status::creating)
        return corrupted(Database::folder(root_) + ": " + config_prefix + id, "it is missing");
    return container;
}

Result<void> LeveldbStore::erase(const std::string& id) const {
    RUNVM_ASSIGN(Database database, Database::open_to_write(root_));
    return database.remove({state_prefix + id, config_prefix + id});
}

Result<void> LeveldbStore::remove(const std::string& id) {
    RUNVM_TRY(check_id(id));
    auto there = exists(id);
    // One that is corrupted is repaired by the change.
    if (!there && there.error().kind() != ErrorKind::corrupted)
        return with_container(std::move(there).error(), id);
    if (!there || *there) {
        auto erased = erase(id);
        bool is_full =
            !erased && (erased.error().errno_value() == ENOSPC || erased.error().errno_value() == EDQUOT);
        if (is_full && Database::give_up_spare(root_))
            erased = erase(id);
        if (!erased)
            return with_container(std::move(erased).error(), id);
    }
    // The caller has the lock of a container that is there. Of a killed reserve or remove nobody has.
    if (!there || *there)
        ::unlink(lock_path(id).c_str());
    else
        remove_leftover(id);
    return {};
}

Result<std::vector<std::string>> LeveldbStore::list() {
    RUNVM_ASSIGN(std::optional<Database> database, Database::open_to_read(root_));
    if (!database)
        return std::vector<std::string>();
    return ids_in(*database);
}

Result<std::vector<std::string>> LeveldbStore::ids_in(const Database& database) {
    RUNVM_ASSIGN(std::vector<std::string> ids, database.keys(state_prefix));
    std::erase_if(ids, [](const std::string& id) { return !check_id(id); });
    return ids;
}

Result<std::vector<Store::Loaded>> LeveldbStore::load_all() {
    std::vector<Loaded> all;
    RUNVM_ASSIGN(std::optional<Database> database, Database::open_to_read(root_));
    if (!database)
        return all;
    RUNVM_ASSIGN(std::vector<std::string> ids, ids_in(*database));
    for (const std::string& id : ids)
        all.push_back({id, load_from(*database, id)});
    return all;
}

} // namespace

std::unique_ptr<Store> open_leveldb_store(const std::string& root) {
    return std::make_unique<LeveldbStore>(root);
}

} // namespace runvm::state
