#pragma once
// The LevelDB database of a root, open for the time of one look or one change.
//
// LevelDB lets one process have a database open. So none keeps it: a change takes a few milliseconds, and
// others wait for it (flock(2) of the database's folder, which goes with the process); those that only read
// share it.

#include "core/result.h"
#include "os/fd.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace leveldb {
class DB;
} // namespace leveldb

namespace runvm::state {

class StoreEnv;

class Database {
public:
    static bool exists(const std::string& root);
    /// How long another process is waited for: a change takes milliseconds, but who makes one may have been
    /// stopped.
    static constexpr int default_limit_ms = 10'000;
    /// Nothing if there is no database yet. corrupted names the folder; timeout.
    static Result<std::optional<Database>> open_to_read(const std::string& root,
                                                        int limit_ms = default_limit_ms);
    /// Made if it is not there; a corrupted one is repaired as far as it can be.
    static Result<Database> open_to_write(const std::string& root, int limit_ms = default_limit_ms);
    /// A database keeps some room on its disk; this gives it up. False if it has been.
    static bool give_up_spare(const std::string& root);

    ~Database();
    Database(Database&&) noexcept;
    Database& operator=(Database&&) = delete;

    Result<std::optional<std::string>> get(const std::string& key) const;
    /// The keys with this prefix, without it, sorted.
    Result<std::vector<std::string>> keys(const std::string& prefix) const;
    /// All or nothing, on the disk when this returns.
    Result<void> put(const std::vector<std::pair<std::string, std::string>>& entries);
    Result<void> remove(const std::vector<std::string>& keys);

    static std::string folder(const std::string& root) { return root + "/@leveldb"; }

private:
    Database(std::string path, os::Fd lock);
    Result<void> open(std::unique_ptr<StoreEnv> env, bool create);

    std::string path_;
    os::Fd lock_;
    std::unique_ptr<StoreEnv> env_; ///< outlives what uses it
    std::unique_ptr<leveldb::DB> db_;
};

} // namespace runvm::state
