#pragma once
// Containers by id, below one root. Every call may run in several processes at once.

#include "core/result.h"
#include "os/fd.h"
#include "state/container.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace runvm::state {

/// runc's rule: one or more of [A-Za-z0-9_+.-], and neither "." nor ".."; at most 255, a folder's name. Error
/// kind invalid_argument, with the words "invalid container ID format".
Result<void> check_id(const std::string& id);

/// Held while a command changes a container; released when destroyed. Two commands on one container wait for
/// each other; a process that dies lets go.
class Lock {
public:
    explicit Lock(os::Fd fd) : fd_(std::move(fd)) {}

private:
    os::Fd fd_;
};

/// Longer than any command may keep a container: the boot and the agent's limits, and hooks.
constexpr int default_lock_timeout_ms = 180'000;

/// The metadata store: a plug-in point (open_filesystem_store, leveldb/store.h).
class Store {
public:
    virtual ~Store() = default;
    /// Claims the id: already_exists if it is taken ("container with given ID already exists"). The container
    /// is locked from the first moment on, and loads as `creating` with this process as its creator.
    virtual Result<Lock> reserve(const std::string& id) = 0;
    /// not_found ("container does not exist") if it is not there, also when it was deleted while this waited;
    /// timeout if another command does not let go of it within `limit_ms`.
    virtual Result<Lock> lock(const std::string& id, int limit_ms = default_lock_timeout_ms) = 0;
    /// The caller holds the lock. not_found if the container has been deleted or was never reserved.
    virtual Result<void> save(const Container& container) = 0;
    /// not_found; corrupted (names the file and what is wrong). Needs no lock: it is the last that was saved.
    virtual Result<Container> load(const std::string& id) = 0;
    /// Removes all that the store has of the id; success if there is nothing. The caller holds the lock.
    virtual Result<void> remove(const std::string& id) = 0;
    /// All ids, sorted; a corrupted one is among them.
    virtual Result<std::vector<std::string>> list() = 0;
    /// `load` of each, but for those that are deleted meanwhile.
    struct Loaded {
        std::string id;
        Result<Container> container;
    };
    virtual Result<std::vector<Loaded>> load_all();
};

/// <root>/<id>/state.json and config.json, folders 0700, made when first needed.
std::unique_ptr<Store> open_filesystem_store(const std::string& root);

/// <root>/@sandboxes/<hash of the sandbox's id>: short, so that a socket in it fits in sockaddr_un; '@' is
/// not allowed in a container's id.
std::string sandbox_folder(const std::string& root, const std::string& sandbox_id);

/// Makes the sandbox's folder (0700) and writes down whose it is; success if it is this sandbox's already.
/// already_exists if it is another's: two ids with the same hash.
Result<std::string> claim_sandbox_folder(const std::string& root, const std::string& sandbox_id);

/// Where a machine of libvirtd's has its sockets: a folder below `run_folder`, because no other user gets
/// into the sandbox's own. Noted in the sandbox's folder, with which it is removed.
Result<std::string> claim_machine_folder(const std::string& run_folder, const std::string& sandbox_folder);

/// Held while a container comes to a sandbox that others have, or leaves one: who ends it knows that nobody
/// is coming. Nothing if there is no such folder; timeout as Store::lock.
Result<std::optional<Lock>> lock_sandbox(const std::string& folder, int limit_ms = default_lock_timeout_ms);

/// Removes the sandbox's folder, and its machine's.
Result<void> remove_sandbox_folder(const std::string& folder);

} // namespace runvm::state
