#pragma once
// What LevelDB sees of the system.
//
// LevelDB writes whenever it opens a database: the log becomes a table, the manifest is written anew. A
// command that only reads must not: the disk may be full or read-only, and several shall read at once. For
// those an overlay keeps in memory what LevelDB writes, over files that stay as they are.

#include <leveldb/env.h>

#include <memory>

namespace runvm::state {

class StoreEnv : public leveldb::EnvWrapper {
public:
    using EnvWrapper::EnvWrapper;
    /// To be called right before the database is closed.
    virtual void about_to_close() {}
};

/// Work in the background is done by threads that have ended when the Env is destroyed: runvm forks, and
/// enters namespaces. Nothing is logged.
std::unique_ptr<StoreEnv> make_writing_env();

/// The same over an overlay; locks nothing, and compacts nothing.
std::unique_ptr<StoreEnv> make_reading_env();

} // namespace runvm::state
