#pragma once

#include "state/store.h"

namespace runvm::state {

/// A LevelDB database in <root>/@leveldb. Many containers are one folder of a few files, and a change is one
/// write; a change takes some milliseconds more than with a folder for each.
std::unique_ptr<Store> open_leveldb_store(const std::string& root);

} // namespace runvm::state
